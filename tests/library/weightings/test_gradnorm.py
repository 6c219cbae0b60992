"""`gradnorm`: losses that fall at one rate."""

import numpy as np
import pytest
import rivals_reference as reference
from properties import assert_float32_stays_near_float64
from stepping import close, in_float64, random_steps

import mmpareto_jax as mmp


@pytest.mark.parametrize(
    ("alpha", "learning_rate"), [(1.5, 0.025), (0.0, 0.1), (0.5, 0.01), (3.0, 1.0)]
)
@pytest.mark.parametrize("count", [2, 4])
def test_gradnorm(count, alpha, learning_rate):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.gradnorm(alpha, learning_rate), steps)
    close(found, reference.gradnorm(steps, alpha, learning_rate))
    close(found.sum(axis=1), np.full(len(steps), count))
    assert (found >= 0.0).all()


def test_gradnorm_at_its_target_stays():
    steps = [(np.eye(3), np.array([1.0, 2.0, 3.0]))] * 5
    np.testing.assert_array_equal(in_float64(mmp.weightings.gradnorm(), steps), np.ones((5, 3)))


def test_a_float32_run_stays_near_the_float64_one():
    assert_float32_stays_near_float64(mmp.weightings.gradnorm())
