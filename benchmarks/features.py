"""The verb ``features``: measure how the features strategy affects the accuracy.

MMPareto trains on colored-and-gray digits as in the demo, once with weights from the
gradients of the parameters (the exact strategy "stacked") and once with weights from those of the
features. In every step of the exact run, both updates are computed for the same parameters and
samples, and compared by the cosine between them and the ratio of their norms.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax
from flax import nnx

import mmpareto_jax as mmp
from benchmarks import _report
from experiments import data, models
from experiments.data import DATASETS, Splits
from experiments.data.storage.files import make_folder
from experiments.engine import program
from experiments.engine.comparison import (
    History,
    Protocol,
    Spread,
    accuracies,
    conflicts,
    per_cent,
    run_seeds,
    spread,
)
from experiments.engine.devices import description
from experiments.engine.feeds import Batch
from experiments.engine.program import Program
from experiments.engine.state import TrainState
from experiments.markdown import grid

COMMAND = "python -m benchmarks features"
COMPARED = ("stacked", "features")


class Agreement(NamedTuple):
    """The comparison of the features strategy's gradient of an encoder with the exact one.

    Attributes:
      cosine: ``()``, the cosine of the two gradients.
      norm_ratio: ``()``, the norm of the features strategy's gradient over that of the exact one.

    For all steps together, :func:`by_seed` makes both ``[seeds, steps]``.
    """

    cosine: Any
    norm_ratio: Any


def main(protocol: Protocol, output: Path = Path("runs", "bench-features")) -> None:
    """Compare the features strategy with the exact one on colored-and-gray digits.

    Args:
      protocol: The number of seeds and epochs, and gamma.
      output: Folder for the table, as Markdown and JSON.
    """
    from tqdm import tqdm

    make_folder(output)
    arrays = data.load("cg-digits")
    histories: dict[str, list[History]] = {}
    with tqdm(unit="epoch", total=len(COMPARED) * protocol.seeds * protocol.epochs) as progress:
        exact, steps = build(protocol, arrays, "stacked")
        histories["stacked"] = run_seeds(exact, protocol, progress.update)
        approximate, _ = build(protocol, arrays, "features")
        histories["features"] = run_seeds(approximate, protocol, progress.update)
    agreements = by_seed(steps, protocol.seeds)
    modalities = tuple(DATASETS["cg-digits"].modalities)
    command = f"{COMMAND} --seeds {protocol.seeds}"
    table = "\n".join(
        [
            accuracy_table(histories, modalities),
            "The update of features against the exact one, at the parameters of the exact run:\n",
            agreement_table(agreements, exact.feed.steps_per_epoch),
            f"`{command}` on {description()}: MMPareto, {protocol.epochs} epochs; accuracies and "
            "shares of steps in per cent; mean ± standard deviation over seeds; accuracies are "
            "means over the last five epochs.\n",
        ]
    )
    results = {
        "command": command,
        "device": description(),
        "protocol": dataclasses.asdict(protocol),
        "histories": histories,
        "agreement": {
            name: {key: np.round(value, 5).tolist() for key, value in found._asdict().items()}
            for name, found in agreements.items()
        },
    }
    _report.save(output, table, results)


def build(
    protocol: Protocol, arrays: Splits, strategy: str
) -> tuple[Program, list[dict[str, Agreement]]]:
    """Build the program of ``train --method mmpareto`` with the gradient of the given strategy.

    Args:
      protocol: The number of seeds and epochs, and gamma.
      arrays: The data set, colored-and-gray digits.
      strategy: "stacked" or "features".

    Returns:
      The program, and a list to which every step of "stacked" appends the agreement by encoder.
    """
    config = protocol.config("mmpareto")
    base = program.build(config, arrays)
    dataset = DATASETS[config.dataset]
    encoders = {
        name: mmp.Encoder(params=f"encoders/{name}", objectives=heads)
        for name, heads in dataset.encoders.items()
    }
    outputs = {head: task.num_outputs for head, task in dataset.heads.items()}
    shapes = {name: base.feed.shapes[name] for name in dataset.modalities}
    graph = nnx.graphdef(models.build(config, shapes, outputs, seed=0))
    optimization = config.optimization
    tx = optax.chain(
        optax.add_decayed_weights(optimization.weight_decay),
        optax.sgd(optimization.learning_rate, momentum=optimization.momentum),
    )

    def encode(params: Any, batch: Batch) -> dict[str, jax.Array]:
        return nnx.merge(graph, params).encode(dataset.inputs(batch))

    def losses_from_features(params: Any, features: Any, batch: Batch) -> dict[str, jax.Array]:
        logits = nnx.merge(graph, params).classify(features)
        return {
            head: task.loss(logits[head], batch[task.target])
            for head, task in dataset.heads.items()
        }

    def losses(params: Any, batch: Batch) -> dict[str, jax.Array]:
        return losses_from_features(params, encode(params, batch), batch)

    weighting = mmp.weightings.mmpareto(protocol.gamma)
    halves = mmp.Features(encode, losses_from_features)
    by_features = mmp.integrate(halves, encoders, weighting, strategy="features")
    exact = mmp.integrate(losses, encoders, weighting)
    integrator = exact if strategy == "stacked" else by_features

    def initial_state(seed: int) -> TrainState:
        state = base.initial_state(seed)
        return state._replace(opt_state=(integrator.init(state.params), tx.init(state.params)))

    @functools.partial(jax.jit, donate_argnums=0)
    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Any]:
        integration, opt_state = state.opt_state
        values, grads, integration = integrator.value_and_grad(state.params, integration, batch)
        compared = {}
        if strategy == "stacked":
            start = by_features.init(state.params)
            _, approximate, _ = by_features.value_and_grad(state.params, start, batch)
            compared = {
                name: agreement(approximate["encoders"][name], grads["encoders"][name])
                for name in encoders
            }
        updates, opt_state = tx.update(grads, opt_state, state.params)
        params = optax.apply_updates(state.params, updates)
        metrics = {"loss": values, "encoders": mmp.diagnostics(integration)}
        opt_state = (integration, opt_state)
        new = state._replace(step=state.step + 1, params=params, opt_state=opt_state)
        return new, (metrics, compared)

    record: list[dict[str, Agreement]] = []

    def recorded(state: TrainState, batch: Batch) -> tuple[TrainState, Any]:
        state, (metrics, compared) = step(state, batch)
        record.append(compared)
        return state, metrics

    return base._replace(initial_state=initial_state, step=recorded), record


def agreement(gradient: Any, exact: Any) -> Agreement:
    """Return the cosine of two gradients, and the norm of the first over that of the second.

    Args:
      gradient: A tree of arrays, which counts as one vector.
      exact: A tree of the same structure. If either is zero, the cosine is NaN.
    """
    norms = optax.tree.norm(gradient), optax.tree.norm(exact)
    return Agreement(optax.tree.vdot(gradient, exact) / (norms[0] * norms[1]), norms[0] / norms[1])


def by_seed(steps: list[dict[str, Agreement]], seeds: int) -> dict[str, Agreement]:
    """Return the agreements of all steps as arrays ``[seeds, steps]`` by encoder.

    Args:
      steps: For each step, the agreement by encoder: all steps of one seed, then of the next.
      seeds: The number of seeds.
    """
    stack: Callable[..., Any] = lambda *values: np.reshape(np.stack(values), (seeds, -1))  # noqa: E731
    return jax.tree.map(stack, *jax.device_get(steps))


def accuracy_table(histories: Mapping[str, list[History]], modalities: tuple[str, ...]) -> str:
    """Write a Markdown table of accuracies and of shares of steps in conflict, in per cent.

    Args:
      histories: For each strategy, the records of one run per seed.
      modalities: The modalities, "gray" and "color", whose names encoders and heads have too.
    """
    rows = [
        [
            name,
            *(per_cent(spread(accuracies(seeds, head))) for head in ("joint", *modalities)),
            *(per_cent(spread(conflicts(seeds, encoder))) for encoder in modalities),
        ]
        for name, seeds in histories.items()
    ]
    head = ["strategy", "joint acc.", *(f"{name} acc." for name in modalities)]
    return grid([*head, *(f"conflict, {name}" for name in modalities)], rows)


def agreement_table(agreements: Mapping[str, Agreement], steps_per_epoch: int) -> str:
    """Write a Markdown table of the agreements, with a row for each encoder.

    Args:
      agreements: For each encoder, cosines and norm ratios ``[seeds, steps]``.
      steps_per_epoch: The number of steps in an epoch; the table has a column each for the first
        epoch, all epochs and the last epoch.
    """
    rows = []
    for name, found in agreements.items():
        cosine = found.cosine
        means = [
            Spread.over(np.mean(part, axis=1))
            for part in (
                cosine[:, :steps_per_epoch],
                cosine,
                cosine[:, -steps_per_epoch:],
                found.norm_ratio,
            )
        ]
        first, whole, last, norm = (f"{each.mean:.3f} ± {each.deviation:.3f}" for each in means)
        rows.append([name, first, whole, last, f"{np.min(cosine):.3f}", norm])
    return grid(
        ["encoder", "cosine, first epoch", "all epochs", "last epoch", "smallest", "norm ratio"],
        rows,
    )
