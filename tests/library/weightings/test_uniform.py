"""`uniform`: the sum of the gradients."""

import pytest
from conflict import assert_aggregate_combines_by, first_weights
from gramians import dtypes
from properties import assert_is_the_update_of_torchjd

import mmpareto_jax as mmp


def test_uniform_weights_are_one():
    assert first_weights(mmp.weightings.uniform()).tolist() == [1.0, 1.0]


def test_aggregate_combines_by_the_weights():
    assert_aggregate_combines_by(mmp.weightings.uniform(), [1.0, 1.0])


@dtypes
@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_torchjd_agrees(count, dtype):
    assert_is_the_update_of_torchjd(mmp.weightings.uniform(), "sum", count, dtype)
