"""The loss and the samples on which curvature and landscape are measured."""

import jax
import jax.numpy as jnp
import numpy as np

from experiments.engine.feeds import Batch
from experiments.engine.program import Program
from experiments.methods import Losses

SAMPLES = 512
"""The number of training samples, the first of the set; a smaller set is used whole."""


def joint(losses: Losses) -> jax.Array:
    """Return the loss of the joint head or, without a joint head, the sum of all losses; ``()``."""
    return losses["joint"] if "joint" in losses else sum(losses.values(), start=jnp.zeros(()))


def fixed_samples(compiled: Program) -> list[tuple[Batch, int]]:
    """Return the first 512 training samples (or all), without augmentation, in evaluation batches.

    The last batch is cut to samples that count, so that a mean over it has no filled-up samples.

    Returns:
      The batches, each with its number of samples.
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
