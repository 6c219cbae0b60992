"""`dual_proj`: the mean gradient projected on the dual cone."""

import numpy as np
from convex import METHODS, cases, solve, with_a_zero_gradient
from gramians import DEPENDENT, dtypes, families
from projections import assert_projection

WEIGHTS = METHODS["dual_proj"]


@dtypes
@families
def test_dual_cone_weights_meet_the_conditions(family, dtype):
    for gramian, weights in cases(WEIGHTS, family, dtype):
        mean = np.full(len(gramian), 1 / len(gramian), dtype).astype(np.longdouble)
        assert_projection(gramian, mean, weights, np.finfo(dtype).eps, family in DEPENDENT)


@dtypes
def test_a_zero_gradient_keeps_its_share_of_the_mean(dtype):
    assert solve(WEIGHTS, with_a_zero_gradient(dtype))[2] == np.asarray(1 / 5, dtype)
