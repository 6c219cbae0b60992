"""Families of gradients `[K, P]`, well and badly conditioned, and their Gramians."""

import numpy as np
import pytest

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def log_uniform(rng, low, high, size=None):
    """Numbers whose logarithms are uniform."""
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


def rescaled(gradients, norms):
    """The gradients with other norms."""
    return gradients / np.linalg.norm(gradients, axis=1, keepdims=True) * norms[:, None]


def random(rng, count):
    """Independent gradients of like norms."""
    return rng.standard_normal((count, int(rng.integers(count, 3 * count)))) + rng.uniform(0, 1)


def rank_deficient(rng, count):
    """Dependent gradients; the hull of half of these holds zero."""
    gradients = rng.standard_normal((count, int(rng.integers(1, count))))
    return gradients + rng.choice([0.0, 2.0])


def duplicated(rng, count):
    """Gradients of which at least half are copies of others."""
    return random(rng, count)[rng.integers(0, (count + 1) // 2, count)]


def badly_scaled(rng, count):
    """Independent gradients of norms from 1e-3 to 1e3."""
    return rescaled(random(rng, count), log_uniform(rng, 1e-3, 1e3, count))


def badly_scaled_duplicated(rng, count):
    """Some of them copies of others."""
    return badly_scaled(rng, count)[rng.integers(0, count // 2 + 1, count)]


def badly_scaled_rank_deficient(rng, count):
    """Dependent gradients of norms from 1e-3 to 1e3."""
    return rescaled(rank_deficient(rng, count), log_uniform(rng, 1e-3, 1e3, count))


FAMILIES = (
    random,
    rank_deficient,
    duplicated,
    badly_scaled,
    badly_scaled_duplicated,
    badly_scaled_rank_deficient,
)
DEPENDENT = (rank_deficient, badly_scaled_rank_deficient)
"""The families of which some gradients combine to zero."""

families = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)


def gramian_of(gradients, dtype="float64"):
    """The Gramian of `[..., K, P]` as the library would be given it: entries rounded to `dtype`."""
    gradients = gradients.astype(dtype).astype(np.float64)
    return (gradients @ gradients.swapaxes(-1, -2)).astype(dtype)


def norms_of(gramian):
    """The norms of the gradients."""
    return np.sqrt(np.diag(gramian))
