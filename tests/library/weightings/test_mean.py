"""`mean`: the same share for every objective."""

import numpy as np
import pytest
from gramians import dtypes, gramian_of
from properties import assert_is_the_update_of_torchjd
from stepping import close, run

import mmpareto_jax as mmp


def test_mean_is_one_over_the_number_of_objectives():
    close(run(mmp.weightings.mean(), gramian_of(np.ones((1, 5, 2)))), np.full((1, 5), 0.2))


@dtypes
@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_torchjd_agrees(count, dtype):
    assert_is_the_update_of_torchjd(mmp.weightings.mean(), "mean", count, dtype)
