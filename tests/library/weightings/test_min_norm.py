"""`min_norm`: K times the min-norm weights; solvers/test_min_norm.py has their conditions."""

import numpy as np
from conflict import assert_aggregate_combines_by, first_weights

import mmpareto_jax as mmp

WEIGHTS = [10 / 7, 4 / 7]  # b - c = 5, a - c = 2: alpha = (5/7, 2/7)


def test_min_norm_weights_sum_to_the_number_of_objectives():
    np.testing.assert_allclose(first_weights(mmp.weightings.min_norm()), WEIGHTS, rtol=1e-6)


def test_aggregate_combines_by_the_weights():
    assert_aggregate_combines_by(mmp.weightings.min_norm(), WEIGHTS)
