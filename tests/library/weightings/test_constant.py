"""`constant`: the weights that the user gave."""

import numpy as np
import pytest
from gramians import gramian_of
from stepping import close, run

import mmpareto_jax as mmp


def test_constant_weights_are_used_as_given():
    weighting = mmp.weightings.constant([0.5, -2.0, 7.0])
    close(run(weighting, gramian_of(np.ones((2, 3, 2)))), np.array([[0.5, -2.0, 7.0]] * 2))


@pytest.mark.parametrize("count", [2, 4])
def test_constant_weights_must_have_the_number_of_objectives(count):
    with pytest.raises(ValueError, match=f"3.*{count}|{count}.*3"):
        mmp.weightings.constant([1.0, 2.0, 3.0]).init(count)


@pytest.mark.parametrize("weights", [1.0, np.ones((1, 2)), np.ones((2, 1, 1))])
def test_constant_weights_are_one_row(weights):
    with pytest.raises(ValueError, match="weights must be one row of numbers"):
        mmp.weightings.constant(weights)
