"""The joint loss and accuracy along random directions from the parameters."""

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from experiments.engine.feeds import Batch
from experiments.engine.program import Program
from experiments.engine.state import TrainState
from experiments.errors import UserError
from experiments.reports.paper.measurements._filter_normalized import direction
from experiments.reports.paper.measurements._joint_loss import fixed_samples, joint

DIRECTIONS = 3

STEPS = 21
"""The number of points on a line, at -1, -0.9 and so on to 1 times the direction."""

TEST_SAMPLES = 1000
"""The largest number of test samples for the accuracy, in whole evaluation batches; the first batch
is used even if it is larger."""

DISTANCE = 0.5
"""The distance from the parameters, on either side, at which the sharpness is taken."""

TestBatches = list[tuple[Batch, np.ndarray]]


def landscape(
    compiled: Program, state: TrainState, encoders: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Measure loss and accuracy at 21 points along each of 3 filter-normalized random directions.

    A direction has the scale of each layer's parameters, so that networks can be compared even
    where ReLU lets one layer be larger and the next smaller. The result is deterministic: the
    random numbers are the same for all states.

    Args:
      compiled: The run's program. Nothing else is compiled but the step along a direction.
      state: The state whose parameters are at the middle of the lines; the batch statistics stay
        the same.
      encoders: Ignored, since all parameters move.

    Returns:
      ``steps`` ``[21]``, from -1 to 1, where the parameters move by the step times the direction;
      ``loss`` ``[3, 21]``, the joint loss on the first 512 training samples (of several tasks, the
      sum of the losses); ``accuracy`` ``[3, 21]``, of the joint head on the first test samples (of
      several tasks, the mean), and ``test_samples``, how many of them; ``sharpness``, the rise of
      the loss at half the way, at the steps -0.5 and 0.5, in the mean over the two sides and the
      directions. Unlike the distance at which the loss has doubled, it exists for every network.

    Raises:
      UserError: If a head has no accuracy.

    References:
      Li et al., `Visualizing the loss landscape of neural nets
      <https://arxiv.org/abs/1712.09913>`_, 2018.
    """
    samples, tests = fixed_samples(compiled), _test_batches(compiled)
    steps = np.round(np.linspace(-1, 1, STEPS), 6)
    at_zero = _loss(compiled, state, samples), _accuracy(compiled, state, tests)
    losses, accuracies = [], []
    for key in jax.random.split(jax.random.key(0), DIRECTIONS):
        along = direction(state.params, key)
        points = []
        for step in steps:
            if step == 0:  # the same in all directions
                points.append(at_zero)
                continue
            there = state._replace(params=_moved(state.params, along, step))
            points.append((_loss(compiled, there, samples), _accuracy(compiled, there, tests)))
        losses.append([loss for loss, _ in points])
        accuracies.append([accuracy for _, accuracy in points])
    return {
        "steps": steps.tolist(),
        "loss": losses,
        "accuracy": accuracies,
        "test_samples": int(sum(np.sum(counted) for _, counted in tests)),
        "sharpness": _sharpness(steps, np.asarray(losses)),
    }


@jax.jit
def _moved(params: Any, along: Any, step: float) -> Any:
    return jax.tree.map(lambda start, way: start + step * way, params, along)


def _loss(compiled: Program, state: TrainState, samples: list[tuple[Batch, int]]) -> float:
    losses = [float(joint(compiled.losses(state, batch))) for batch, _ in samples]
    return float(np.average(losses, weights=[number for _, number in samples]))


def _accuracy(compiled: Program, state: TrainState, tests: TestBatches) -> float:
    parts = [jax.device_get(compiled.sums(state, *batch)) for batch in tests]
    totals = jax.tree.map(lambda *sums: np.sum(sums, axis=0), *parts)
    heads = ("joint",) if "joint" in compiled.tasks else tuple(compiled.tasks)
    scores = [compiled.tasks[head].scores(totals[head]) for head in heads]
    if any("accuracy" not in of_head for of_head in scores):
        raise UserError("the landscape is that of an accuracy, and not all heads have one")
    return float(np.mean([of_head["accuracy"] for of_head in scores]))


def _test_batches(compiled: Program) -> TestBatches:
    batches: TestBatches = []
    number = 0
    for batch, counted in compiled.feed.evaluation("test"):
        number += int(np.sum(counted))
        if batches and number > TEST_SAMPLES:
            break
        batches.append((batch, counted))
    return batches


def _sharpness(steps: np.ndarray, losses: np.ndarray) -> float:
    (middle,) = np.flatnonzero(steps == 0)
    return float(np.mean(losses[:, np.abs(steps) == DISTANCE] - losses[:, [middle]]))
