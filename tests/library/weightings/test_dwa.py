"""`dwa`: weight to the losses that fall slowly."""

import pytest
import rivals_reference as reference
from properties import assert_float32_stays_near_float64
from stepping import close, in_float64, random_steps

import mmpareto_jax as mmp


@pytest.mark.parametrize(("temperature", "period"), [(2.0, 1), (0.5, 3), (1.0, 5)])
@pytest.mark.parametrize("count", [2, 3])
def test_dwa(count, temperature, period):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.dwa(temperature, period), steps)
    close(found, reference.dwa(steps, temperature, period))
    assert (found[: 2 * period] == 1.0).all()
    assert not (found[2 * period] == 1.0).all()


def test_a_float32_run_stays_near_the_float64_one():
    assert_float32_stays_near_float64(mmp.weightings.dwa())
