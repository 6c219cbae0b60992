"""`gradvac`: cosines brought to their moving averages, in a random order."""

import numpy as np
import pytest
import rivals_reference as reference
from gramians import dtypes, gramian_of
from properties import assert_a_seed_fixes_the_draws, assert_is_the_update_of_torchjd
from stepping import close, in_float64, random_steps, run

import mmpareto_jax as mmp


@pytest.mark.parametrize(
    ("count", "beta"), [(1, 0.5), (2, 0.01), (2, 0.5), (3, 0.01), (3, 0.5), (3, 0.9)]
)
def test_gradvac_follows_some_order_at_every_step(count, beta):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.gradvac(beta=beta), steps)
    ways = list(reference.orders(count))
    states = [np.zeros((count, count))]
    taken = set()
    for (gradients, _), weights in zip(steps, found, strict=True):
        after = {}
        for phi in states:
            for number, order in enumerate(ways):
                expected, moved = reference.gradvac(gradients, order, phi, beta)
                if np.allclose(weights, expected, rtol=1e-9, atol=1e-9):
                    after[moved.round(10).tobytes()] = moved
                    taken.add(number)
        assert after, "no order explains these weights"
        states = list(after.values())
    assert len(taken) == len(ways)


def test_gradvac_with_targets_that_stay_zero_is_pcgrad():
    steps = random_steps(2)
    expected = in_float64(mmp.weightings.pcgrad(), steps)
    close(in_float64(mmp.weightings.gradvac(beta=0.0), steps), expected)


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_gradvac_bears_parallel_gradients(beta):
    gradients = np.stack([np.array([[1.0, 2.0], [0.3, 0.6], [3.0, 6.0]])] * 12)
    found = run(mmp.weightings.gradvac(beta=beta), gramian_of(gradients, "float32"))
    assert np.isfinite(found).all()
    # the targets are 1, the cosines 1 to rounding: the update keeps its direction and its order
    assert (found > 0.0).all()
    assert (found < 100.0).all()


def test_a_seed_fixes_the_draws():
    assert_a_seed_fixes_the_draws(mmp.weightings.gradvac)


@dtypes
def test_torchjd_agrees(dtype):
    """In the first step; of more than two objectives its outcome is random."""
    weighting = mmp.weightings.gradvac(beta=0.5)
    assert_is_the_update_of_torchjd(weighting, "gradvac_first_step", 2, dtype)
