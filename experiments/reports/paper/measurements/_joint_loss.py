"""The loss whose shape around the parameters is measured, and the samples that it is taken on."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.engine.feeds import Batch
from experiments.engine.program import Program
from experiments.methods import Losses

SAMPLES = 512
"""The first so many of the training set; all of a smaller one."""


def joint(losses: Losses) -> jax.Array:
    """Return the loss of the joint head; of several tasks without one, the sum of their losses."""
    return losses["joint"] if "joint" in losses else sum(losses.values(), start=jnp.zeros(()))


def fixed_samples(compiled: Program) -> list[tuple[Batch, int]]:
    """Yield the samples, as in the test, in batches of evaluation and with their numbers.

    The last batch is cut to what counts, so that a mean over it is one over real samples.
    """
    parts: list[tuple[Batch, int]] = []
    left = SAMPLES
    for batch, counted in compiled.feed.evaluation("train"):
        number = min(int(np.sum(counted)), left)
        whole = number == len(counted)
        parts.append((batch if whole else _first(batch, number), number))
        left -= number
        if left == 0:
            break
    return parts


def _first(batch: Batch, number: int) -> Batch:
    return {name: field[:number] for name, field in batch.items()}
