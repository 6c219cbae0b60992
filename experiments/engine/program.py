"""The compiled program of a run: its data and its functions, on a mesh of devices."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from experiments import methods
from experiments.config import Config
from experiments.data import DATASETS, Splits
from experiments.data.storage.holding_out import hold_out
from experiments.engine import devices, feeds
from experiments.engine.feeds import Batch, Feed, OnDevice
from experiments.engine.forward import Forward
from experiments.engine.state import TrainState
from experiments.engine.step import Step
from experiments.methods import Losses, Method, Pass, Problem
from experiments.tasks import Task

RUN_AHEAD = 3
"""The number of calls that may wait for the devices, including the running one.

A few are enough to keep the devices busy. More have no benefit, hold their batches in memory, and
can deadlock on the virtual devices of a CPU.
"""


class Program(NamedTuple):
    """The data and the compiled functions of one run."""

    feed: Feed
    tasks: Mapping[str, Task]
    """The tasks of the heads that the method trains."""
    initial_state: Callable[[int], TrainState]
    """Maps a seed to the state before the first step."""
    before_epoch: Callable[[TrainState], TrainState]
    """Maps a state to the state after what the method does between epochs; consumes the state."""
    step: Callable[[TrainState, Batch], tuple[TrainState, dict[str, Any]]]
    """Maps a state and a batch to the next state and metrics; consumes the state."""
    epoch: Callable[[TrainState], tuple[TrainState, dict[str, Any]]] | None
    """Maps the state before an epoch, which it consumes, to the state after it and the metrics,
    stacked to ``[steps, ...]``. For a data set in the memory of an accelerator, where calling each
    step takes longer than the step itself; otherwise None."""
    losses: Callable[[TrainState, Batch], Losses]
    """Maps a state and a batch to the loss of each head, trained or not, in evaluation mode (no
    dropout, fixed batch statistics); differentiable in the parameters."""
    sums: Callable[[TrainState, Batch, np.ndarray | jax.Array], dict[str, Any]]
    """Maps a state, a batch and a mask of the samples that count to the sums from which the scores
    of each trained head are computed."""
    represent: Callable[[TrainState, Batch], tuple[Mapping[str, jax.Array], Batch]]
    """Maps a state and a batch to the representations of its samples, by encoder, and the fields
    that the heads predict."""


def build(
    config: Config,
    splits: Splits,
    mesh: Mesh | None = None,
    workers: int = 0,
    whole_epochs: bool | None = None,
) -> Program:
    """Bring the data to the devices and build the functions of a run.

    Args:
      config: The configuration.
      splits: The "train" and "test" sets, as :func:`experiments.data.load` returns them.
      mesh: A mesh with axes "data" and "model" from :func:`experiments.engine.devices.make_mesh`.
        By default all devices belong to "data".
      workers: The number of processes that make the batches of a set that does not fit in memory.
      whole_epochs: Whether to take the steps of an epoch in one call if the data set is on the
        devices. By default only on accelerators, since XLA's loops are slower on a CPU.

    Raises:
      UserError: If the model or the method is unknown or does not fit the data set, or if the batch
        size does not fit the data or the devices.
    """
    dataset = DATASETS[config.dataset]
    method = methods.build(config)
    mesh = mesh or devices.make_mesh()
    if method.held_out:
        splits = hold_out(splits, method.held_out)
    feed = feeds.build(splits, config.optimization.batch_size, mesh, workers)
    forward = Forward(config, dataset, feed.shapes)
    problem = Problem(
        heads=tuple(dataset.heads),
        encoders=dataset.encoders,
        outputs=forward.outputs,
        features=forward.features,
        steps_per_epoch=feed.steps_per_epoch,
        epochs=config.optimization.epochs,
    )
    step = Step(method, forward, problem, config.optimization, config.diagnose)
    tasks = {head: dataset.heads[head] for head in method.trained_heads(tuple(dataset.heads))}
    replicated = devices.replicated(mesh)
    shardings = devices.of_state(
        mesh,
        jax.eval_shape(
            lambda params, batch_stats: step.init(params, batch_stats, seed=0), *forward.abstract
        ),
    )

    def initial_state(seed: int) -> TrainState:
        return devices.place(step.init(*forward.initial(seed), seed), shardings)

    def evaluated(state: TrainState, batch: Batch) -> Pass:
        return forward.evaluate(state.params, state.batch_stats, batch)

    @functools.partial(jax.jit, out_shardings=replicated)
    def losses(state: TrainState, batch: Batch) -> Losses:
        return evaluated(state, batch).losses

    @functools.partial(jax.jit, out_shardings=replicated)
    def sums(state: TrainState, batch: Batch, counted: jax.Array) -> dict[str, Any]:
        predictions = evaluated(state, batch).outputs
        return {
            head: task.sums(predictions[head], batch[task.target], counted)
            for head, task in tasks.items()
        }

    @functools.partial(jax.jit, out_shardings=replicated)
    def represent(state: TrainState, batch: Batch) -> tuple[Mapping[str, jax.Array], Batch]:
        targets = {task.target: batch[task.target] for task in dataset.heads.values()}
        return evaluated(state, batch).representations, targets

    if whole_epochs is None:
        whole_epochs = jax.default_backend() != "cpu"
    return Program(
        feed=feed,
        tasks=tasks,
        initial_state=initial_state,
        before_epoch=_before_epoch(method, feed, evaluated, shardings, replicated),
        step=jax.jit(step, donate_argnums=0, out_shardings=(shardings, replicated)),
        epoch=(
            _epoch(step, feed, shardings, replicated)
            if whole_epochs and isinstance(feed, OnDevice)
            else None
        ),
        losses=losses,
        sums=sums,
        represent=represent,
    )


def _epoch(
    step: Step, feed: OnDevice, shardings: Any, replicated: Any
) -> Callable[[TrainState], tuple[TrainState, dict[str, Any]]]:
    """Return the function that takes the steps of an epoch in one call, as ``Program.epoch``."""
    gather = feed.gather

    @functools.partial(jax.jit, donate_argnums=0, out_shardings=(shardings, replicated))
    def steps(state: TrainState, samples: Batch, order: jax.Array) -> tuple[TrainState, Any]:
        return jax.lax.scan(lambda state, rows: step(state, gather(samples, rows)), state, order)

    def epoch(state: TrainState) -> tuple[TrainState, dict[str, Any]]:
        number = int(state.step) // feed.steps_per_epoch
        return steps(state, feed.samples, feed.order(state.key, number))

    return epoch


def _before_epoch(
    method: Method,
    feed: Feed,
    evaluated: Callable[[TrainState, Batch], Pass],
    shardings: Any,
    replicated: Any,
) -> Callable[[TrainState], TrainState]:
    """Return the function that changes the state between epochs, as ``Program.before_epoch``.

    It first adds up the method's sums over the splits that the method names for the coming epoch.
    It returns the state as it is if the method does nothing between epochs.

    Args:
      method: The training method.
      feed: The feed of the run.
      evaluated: Maps a state and a batch to the forward pass in evaluation mode.
      shardings: The shardings of the state.
      replicated: The sharding of the sums.
    """
    change = method.before_epoch
    if change is None:
        return lambda state: state

    @functools.partial(jax.jit, out_shardings=replicated)
    def sums_of_batch(state: TrainState, batch: Batch, counted: jax.Array) -> Any:
        return method.sums(evaluated(state, batch), counted)

    @functools.partial(jax.jit, donate_argnums=0, out_shardings=shardings)
    def changed(state: TrainState, sums_by_split: dict[str, Any]) -> TrainState:
        aggregation, sgd = state.opt_state
        epoch = state.step // feed.steps_per_epoch
        method_state, sgd = change(state.method, sgd, sums_by_split, epoch)
        return state._replace(method=method_state, opt_state=(aggregation, sgd))

    def sums_of_split(state: TrainState, split: str) -> Any:
        total = None
        for batch in feed.evaluation(split):
            part = sums_of_batch(state, *batch)
            total = part if total is None else jax.tree.map(jnp.add, total, part)
            jax.block_until_ready(total)
        return total

    def before_epoch(state: TrainState) -> TrainState:
        splits = method.splits(int(state.step) // feed.steps_per_epoch)
        return changed(state, {split: sums_of_split(state, split) for split in splits})

    return before_epoch
