"""The verb ``step``: measure the cost of MMPareto relative to the uniform baseline.

The uniform baseline is training on the sum of the losses. The benchmark measures the training step
of the network for CG-MNIST, and the time to combine given gradients, relative to the time to stream
the bytes that this must move.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

import mmpareto_jax as mmp
from benchmarks import _report
from experiments.data.storage.files import make_folder
from experiments.engine.devices import description
from experiments.engine.timing import Ratio, flops, times_in_turns
from experiments.models.cg_cnn import cg_cnn
from mmpareto_jax._gramian import combine, gramian

COMMAND = "python -m benchmarks step"

BATCH_SIZE = 64
CHANNELS = {"gray": 1, "color": 3}
ENCODERS = {
    name: mmp.Encoder(params=f"encoders/{name}", objectives=("joint", name)) for name in CHANNELS
}
SGD = optax.chain(optax.add_decayed_weights(1e-4), optax.sgd(1e-2, momentum=0.9))

Step = Callable[..., Any]

TENSORS = 25
SHAPE = (1000, 1000)


def main(output: Path = Path("runs", "bench"), rounds: int = 10) -> None:
    """Measure the cost of the training step, and of combining the gradients alone.

    For the step these are the FLOPs and the wall time of MMPareto over those of the uniform step;
    for combining, the wall time over that of plain kernels that stream the same bytes.

    Args:
      output: Folder for the table, as Markdown and JSON.
      rounds: Number of measured rounds; in each, the compared programs take turns.
    """
    make_folder(output)
    rows: dict[str, float | Ratio] = {**of_the_step(rounds), **of_the_integration(rounds)}
    device = description()
    table = "\n".join(
        [
            "| figure | value |",
            "|---|---|",
            *(f"| {name} | {_text(value)} |" for name, value in rows.items()),
            "",
            f"`{COMMAND}` on {device}, {rounds} rounds: median (minimum to maximum).",
            "",
        ]
    )
    values = {
        name: value._asdict() if isinstance(value, Ratio) else value for name, value in rows.items()
    }
    _report.save(output, table, {"command": COMMAND, "device": device, "values": values})


def _text(value: float | Ratio) -> str:
    return str(value) if isinstance(value, Ratio) else f"{value:.3f}"


def of_the_step(rounds: int) -> dict[str, float | Ratio]:
    """Measure MMPareto's step over the uniform step: FLOPs, by XLA's cost analysis, and wall time.

    Args:
      rounds: The number of rounds; the wall time in each is a mean over three calls.

    Returns:
      The two ratios, by their names in the table.
    """
    shapes = {name: (28, 28, channels) for name, channels in CHANNELS.items()}
    model = cg_cnn(shapes, dict.fromkeys(["joint", *CHANNELS], 10), rngs=nnx.Rngs(0))
    graph, state = nnx.split(model)
    params = nnx.to_pure_dict(state)
    keys = jax.random.split(jax.random.key(0), len(CHANNELS) + 1)
    images = {
        name: jax.random.uniform(key, (BATCH_SIZE, *shape))
        for (name, shape), key in zip(shapes.items(), keys, strict=False)
    }
    labels = jax.random.randint(keys[-1], (BATCH_SIZE,), 0, 10)

    def losses(params: Any, images: Any, labels: jax.Array) -> dict[str, jax.Array]:
        return {
            head: jnp.mean(optax.softmax_cross_entropy_with_integer_labels(logits, labels))
            for head, logits in nnx.merge(graph, params)(images).items()
        }

    compiled = {}
    programs = {}
    for name, make, tx in [
        ("uniform", uniform_step, SGD),
        ("mmpareto", mmpareto_step, optax.chain(mmp.mmpareto(ENCODERS), SGD)),
    ]:
        arguments = (params, tx.init(params), images, labels)
        compiled[name] = jax.jit(make(losses, tx)).lower(*arguments).compile()
        programs[name] = lambda program=compiled[name], arguments=arguments: program(*arguments)
    times = times_in_turns(programs, rounds, calls=3)
    return {
        "FLOPs of the step, MMPareto over uniform": flops(compiled["mmpareto"])
        / flops(compiled["uniform"]),
        "wall time of the step, MMPareto over uniform": Ratio.over_rounds(
            times["mmpareto"], times["uniform"]
        ),
    }


def uniform_step(losses: Step, tx: optax.GradientTransformation) -> Step:
    """Return the step of plain training on the sum of the losses, without this library.

    Args:
      losses: Function from parameters and a batch to a dict of scalar losses.
      tx: The optimizer.

    Returns:
      Function ``step(params, opt_state, *batch) -> (params, opt_state, values)``.
    """

    def step(params: Any, opt_state: Any, *batch: Any) -> Any:
        def total(params: Any) -> Any:
            values = losses(params, *batch)
            return sum(values.values()), values

        (_, values), grads = jax.value_and_grad(total, has_aux=True)(params)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, values

    return step


def mmpareto_step(losses: Step, tx: optax.GradientTransformation) -> Step:
    """Return the step of training with MMPareto, as in the README.

    Args:
      losses: Function from parameters and a batch to a dict of scalar losses.
      tx: The optimizer, which begins with the aggregator ``mmp.mmpareto``.

    Returns:
      Function ``step(params, opt_state, *batch) -> (params, opt_state, values)``.
    """

    def step(params: Any, opt_state: Any, *batch: Any) -> Any:
        values, grads = mmp.value_and_objective_grads(losses, ENCODERS)(params, *batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, values

    return step


def of_the_integration(rounds: int) -> dict[str, float | Ratio]:
    """Measure the time to combine the gradients of 25 million float32 parameters by MMPareto.

    There are two objectives. The whole update, its Gramian and its combination are measured.

    The floor is the time of plain streaming kernels, in the same round, to read both gradients once
    for the Gramian, and to read them once more and write the combination.

    Args:
      rounds: The number of rounds.

    Returns:
      Ratios of times, by their names in the table.
    """
    keys = jax.random.split(jax.random.key(0), TENSORS)
    params = {f"tensor {i}": jnp.zeros(SHAPE) for i in range(TENSORS)}
    grads = {
        name: jax.random.normal(key, (2, *SHAPE)) for name, key in zip(params, keys, strict=True)
    }
    tx = mmp.mmpareto()
    state = tx.init(params)
    weights = jnp.array([1.0, 0.5])
    aggregate = jax.jit(tx.update)
    gramians = jax.jit(lambda grads: jax.tree.map(gramian, grads))
    combinations = jax.jit(lambda w, grads: jax.tree.map(functools.partial(combine, w), grads))
    read = jax.jit(lambda grads: jax.tree.map(jnp.sum, grads))
    read_and_write = jax.jit(lambda grads: jax.tree.map(lambda g: g[0] + g[1], grads))
    kernels: dict[str, Callable[[], Any]] = {
        "aggregate": lambda: aggregate(grads, state),
        "gramian": lambda: gramians(grads),
        "combine": lambda: combinations(weights, grads),
        "read": lambda: read(grads),
        "read and write": lambda: read_and_write(grads),
    }
    times = times_in_turns(kernels, rounds)
    floor = times["read"] + times["read and write"]
    return {
        "aggregate, 25 million parameters, over the streaming floor": Ratio.over_rounds(
            times["aggregate"], floor
        ),
        "its Gramian over reading the gradients": Ratio.over_rounds(
            times["gramian"], times["read"]
        ),
        "its combination over reading them and writing one": Ratio.over_rounds(
            times["combine"], times["read and write"]
        ),
    }
