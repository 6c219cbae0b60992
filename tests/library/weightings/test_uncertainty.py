"""`uncertainty`: learned log variances."""

import numpy as np
import pytest
import rivals_reference as reference
from properties import assert_float32_stays_near_float64
from stepping import close, in_float64, random_steps

import mmpareto_jax as mmp


@pytest.mark.parametrize("learning_rate", [2.5e-3, 0.3])
@pytest.mark.parametrize("count", [1, 3])
def test_uncertainty(count, learning_rate):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.uncertainty(learning_rate), steps)
    close(found, reference.uncertainty(steps, learning_rate))


def test_uncertainty_settles_where_each_weighted_loss_is_one_half():
    steps = [(np.eye(2), np.array([0.2, 5.0]))] * 400
    found = in_float64(mmp.weightings.uncertainty(0.3), steps)
    close(found[-1] * np.array([0.2, 5.0]), np.full(2, 0.5), rtol=1e-6)


def test_a_float32_run_stays_near_the_float64_one():
    assert_float32_stays_near_float64(mmp.weightings.uncertainty())
