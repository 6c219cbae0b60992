"""`metabalance`: auxiliary gradients brought towards the size of the first."""

import pytest
import rivals_reference as reference
from properties import assert_float32_stays_near_float64
from stepping import close, in_float64, random_steps

import mmpareto_jax as mmp


@pytest.mark.parametrize(("relax", "decay"), [(0.7, 0.9), (0.2, 0.5), (1.0, 0.0), (0.0, 0.9)])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_metabalance(count, relax, decay):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.metabalance(relax, decay), steps)
    close(found, reference.metabalance(steps, relax, decay))
    assert (found[:, 0] == 1.0).all()


def test_a_float32_run_stays_near_the_float64_one():
    assert_float32_stays_near_float64(mmp.weightings.metabalance())
