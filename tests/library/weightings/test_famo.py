"""`famo`: logits that follow the fall of the log losses."""

import numpy as np
import pytest
import rivals_reference as reference
from properties import assert_float32_stays_near_float64
from stepping import close, in_float64, random_steps

import mmpareto_jax as mmp


@pytest.mark.parametrize(("learning_rate", "weight_decay"), [(0.025, 1e-3), (0.5, 0.1)])
@pytest.mark.parametrize("count", [2, 4])
def test_famo(count, learning_rate, weight_decay):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.famo(learning_rate, weight_decay), steps)
    close(found, reference.famo(steps, learning_rate, weight_decay), rtol=1e-6)


def test_famo_turns_to_the_loss_that_falls_least():
    steps = [(np.eye(2), np.array([2.0 * 0.8**t, 2.0])) for t in range(50)]
    found = in_float64(mmp.weightings.famo(), steps)
    shares = found * np.stack([losses for _, losses in steps])
    assert (shares[0, 1] / shares[0].sum()) == pytest.approx(0.5)
    assert (shares[-1, 1] / shares[-1].sum()) > 0.7


def test_a_float32_run_stays_near_the_float64_one():
    assert_float32_stays_near_float64(mmp.weightings.famo())
