"""`moco`: one step of descent to the min-norm point at a time."""

import pytest
import rivals_reference as reference
from properties import assert_float32_stays_near_float64
from stepping import close, in_float64, random_steps

import mmpareto_jax as mmp


@pytest.mark.parametrize(
    ("gamma", "gamma_decay", "rho"), [(0.1, 0.5, 0.0), (0.02, 0.0, 3.0), (1.0, 1.0, 0.1)]
)
@pytest.mark.parametrize("count", [2, 4])
def test_moco(count, gamma, gamma_decay, rho):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.moco(gamma, gamma_decay, rho), steps)
    close(found, reference.moco(steps, gamma, gamma_decay, rho))
    assert (found >= 0.0).all()


def test_a_float32_run_stays_near_the_float64_one():
    assert_float32_stays_near_float64(mmp.weightings.moco())
