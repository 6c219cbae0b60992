"""The training loop: epochs of steps, each followed by an evaluation on the test set."""

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import jax
import numpy as np

from experiments.engine.evaluate import scores
from experiments.engine.feeds import Batches
from experiments.engine.program import RUN_AHEAD, Program
from experiments.engine.state import TrainState

Metrics = dict[str, Any]
"""The metrics of a step, as :class:`experiments.engine.step.Step` returns them."""


def train(
    program: Program,
    state: TrainState,
    epochs: int,
    on_epoch: Callable[[TrainState, dict[str, Any]], None],
    on_step: Callable[[Metrics], object] = lambda metrics: None,
) -> TrainState:
    """Train from a state up to a number of epochs, and evaluate after each.

    Args:
      program: The compiled program of the run.
      state: The state to start from: initial, or restored at the end of an epoch.
      epochs: The total number of epochs, including those before ``state``.
      on_epoch: Called after each epoch with the state and the record of the epoch: ``epoch`` and
        ``step`` (counts), ``seconds`` (training only), ``waiting`` (the part of these seconds that
        was spent waiting for the next batch), ``loss`` (mean over the steps, by head), ``scores``
        (on the test set, by trained head) and ``encoders`` (by encoder, the mean ``cosine`` and the
        shares of steps, 0 to 1, in ``conflict`` and ``stationary``; only for encoders with several
        objectives and diagnostics). If the run diagnoses, an encoder also has ``update_cosine`` and
        ``update_change``, the means of its :class:`mmpareto_jax.Alignment` by objective.
      on_step: Called after each step with its metrics, which the devices may still be computing.

    Returns:
      The state after the last epoch.
    """
    feed = program.feed
    steps = range(int(state.step), epochs * feed.steps_per_epoch)
    with closing(feed.training(state.key, steps)) as batches:
        for epoch in range(steps.start // feed.steps_per_epoch, epochs):
            state = program.before_epoch(state)
            start = time.perf_counter()
            if program.epoch is None:
                state, metrics, waiting = _steps(program, state, batches, on_step)
            else:
                state, metrics, waiting = _whole_epoch(program, state, on_step)
            record = _record(state, metrics, time.perf_counter() - start, waiting)
            on_epoch(state, {"epoch": epoch + 1, **record, "scores": scores(program, state)})
    return state


def _steps(
    program: Program, state: TrainState, batches: Batches, on_step: Callable[[Metrics], object]
) -> tuple[TrainState, Metrics, float]:
    """Take the steps of an epoch one by one.

    Returns:
      The state after them, the metrics stacked to ``[steps, ...]``, and the seconds spent waiting.
    """
    waiting = 0.0
    metrics = []
    for _ in range(program.feed.steps_per_epoch):
        asked = time.perf_counter()
        batch = next(batches)
        waiting += time.perf_counter() - asked
        state, step_metrics = program.step(state, batch)
        metrics.append(step_metrics)
        jax.block_until_ready(metrics[-RUN_AHEAD:][0])
        on_step(step_metrics)
    stacked = jax.tree.map(lambda *values: np.stack(values), *jax.device_get(metrics))
    return state, stacked, waiting


def _whole_epoch(
    program: Program, state: TrainState, on_step: Callable[[Metrics], object]
) -> tuple[TrainState, Metrics, float]:
    """Take the steps of an epoch in one call of the devices, and return the same as ``_steps``.

    ``on_step`` is called with the metrics of every step after the last one. The seconds are 0.
    """
    assert program.epoch is not None
    state, stacked = program.epoch(state)
    stacked = jax.device_get(stacked)
    leaves, structure = jax.tree.flatten(stacked)
    for values in zip(*leaves, strict=True):
        on_step(jax.tree.unflatten(structure, values))
    return state, stacked, 0.0


def _mean(steps: Any) -> float:
    return float(np.mean(steps))


def _record(state: TrainState, metrics: Metrics, seconds: float, waiting: float) -> dict[str, Any]:
    return {
        "step": int(state.step),
        "seconds": seconds,
        "waiting": waiting,
        "loss": {head: _mean(losses) for head, losses in metrics["loss"].items()},
        "encoders": {
            name: {
                "cosine": _mean(encoder.cosine),
                "conflict": _mean(encoder.conflict),
                "stationary": _mean(encoder.stationary),
                **jax.tree.map(_mean, metrics.get("alignment", {}).get(name, {})),
            }
            for name, encoder in metrics["encoders"].items()
            if encoder.weights.shape[-1] > 1
        },
    }
