"""`pcgrad`: each gradient projected off those that it conflicts with, in a random order."""

from collections import Counter

import jax.numpy as jnp
import numpy as np
import pytest
import rivals_reference as reference
from gramians import dtypes, gramian_of
from properties import CONFLICTING, assert_a_seed_fixes_the_draws, assert_is_the_update_of_torchjd
from stepping import close, full_rank, in_float64, random_steps, run

import mmpareto_jax as mmp


@pytest.mark.parametrize("count", [3, 4])
def test_pcgrad_takes_every_order(count):
    gradients, steps = CONFLICTING[:count], 6000
    ways = list(reference.orders(count))
    outcomes = np.stack([reference.pcgrad(gradients, order) for order in ways])
    found = run(mmp.weightings.pcgrad(), gramian_of(np.stack([gradients] * steps)))
    distances = np.abs(found[:, None] - outcomes).max(axis=2)
    nearest = distances.argmin(axis=1)
    assert distances.min(axis=1).max() < 1e-12
    # which order stands behind an outcome; those that cannot be told apart count as one
    labels = np.unique(np.round(outcomes, 9), axis=0, return_inverse=True)[1].ravel()
    expected = Counter(labels.tolist())
    observed = Counter(labels[nearest].tolist())
    chi_squared = sum(
        (observed[label] - steps * n / len(ways)) ** 2 / (steps * n / len(ways))
        for label, n in expected.items()
    )
    degrees = len(expected) - 1
    assert degrees >= 3
    assert chi_squared < degrees + 5 * np.sqrt(2 * degrees)


@pytest.mark.parametrize("count", [1, 2])
def test_pcgrad_of_a_pair_is_fixed(count):
    steps = random_steps(count)
    only = next(reference.orders(count))
    expected = np.stack([reference.pcgrad(gradients, only) for gradients, _ in steps])
    for seed in (0, 1):
        close(in_float64(mmp.weightings.pcgrad(seed=seed), steps), expected)


@pytest.mark.parametrize(
    ("tiny", "expected"),
    [(1e-18, [0.5, 0.5]), (1e-20, [1, 0]), (1e-22, [1, 0]), (1e-25, [1, 0])],
)
def test_pcgrad_of_a_gradient_whose_square_is_no_float_is_finite(tiny, expected):
    """Where its square is a normal number the other gradient is projected."""
    gradients = np.array([[1, 0], [-tiny, tiny]], np.float32)
    tx = mmp.aggregate(mmp.weightings.pcgrad())
    update, _ = tx.update(gradients, tx.init(jnp.zeros(2)))
    np.testing.assert_allclose(update, expected, rtol=1e-4, atol=1e-6)


def test_pcgrad_where_a_processor_may_take_a_square_for_zero_is_finite():
    """The squares of 1e-19 are no normal numbers, and their sum is one: a CPU drops them."""
    gradients = np.array([[1, 0], [-1e-19, 1e-19]], np.float32)
    tx = mmp.aggregate(mmp.weightings.pcgrad())
    update, _ = tx.update(gradients, tx.init(jnp.zeros(2)))
    assert any(np.allclose(update, way, rtol=1e-4) for way in ([1, 0], [0.5, 0.5]))


def test_pcgrad_without_conflict_is_the_sum():
    gradients = np.abs(full_rank(4))
    np.testing.assert_array_equal(
        run(mmp.weightings.pcgrad(), gramian_of(gradients)), np.ones((6, 4))
    )


def test_a_seed_fixes_the_draws():
    assert_a_seed_fixes_the_draws(mmp.weightings.pcgrad)


@dtypes
def test_torchjd_agrees(dtype):
    """Of more than two objectives its outcome is random."""
    assert_is_the_update_of_torchjd(mmp.weightings.pcgrad(), "pcgrad", 2, dtype)
