"""Evaluation of a model on the test set."""

import jax
import numpy as np

from experiments.engine.program import RUN_AHEAD, Program, TrainState

Scores = dict[str, dict[str, float]]
"""By head, by name of the score."""


def scores(program: Program, state: TrainState) -> Scores:
    """Return the scores of each trained head on the test set.

    Args:
      program: The compiled program of the run.
      state: Whose parameters and batch statistics are evaluated.

    Returns:
      By head what its task scores, such as ``accuracy`` and ``macro_f1``.
    """
    batches = []
    for batch in program.feed.evaluation("test"):
        batches.append(program.sums(state, *batch))
        jax.block_until_ready(batches[-RUN_AHEAD:][0])
    totals = jax.tree.map(
        lambda *parts: np.sum(np.asarray(parts, _exact(parts[0])), axis=0), *jax.device_get(batches)
    )
    return {head: dict(task.scores(totals[head])) for head, task in program.tasks.items()}


def _exact(part: np.ndarray) -> type:
    """Return the dtype of the sums of a whole set, which may be too large for 32 bits."""
    return np.int64 if np.issubdtype(part.dtype, np.integer) else np.float64
