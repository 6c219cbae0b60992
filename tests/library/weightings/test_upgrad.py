"""`upgrad`: the mean of the gradients, each projected on the dual cone."""

import numpy as np
from convex import METHODS, cases
from gramians import DEPENDENT, dtypes, families, norms_of
from projections import projections

WEIGHTS = METHODS["upgrad"]


@dtypes
@families
def test_upgrad_sums_the_projections(family, dtype):
    """Of dependent gradients the weights are not unique, but what they make of the gradients is."""
    eps = np.finfo(dtype).eps
    projected = cases(projections, family, dtype)
    for (gramian, weights), (_, each) in zip(cases(WEIGHTS, family, dtype), projected, strict=True):
        expected = each.sum(axis=0) / len(weights)
        if family in DEPENDENT:
            norms = norms_of(gramian)
            resolution = 2 * len(weights) * eps * norms * (np.abs(weights) @ norms)
            assert (np.abs(gramian @ (weights - expected)) <= resolution).all()
        else:
            np.testing.assert_allclose(weights.astype(float), expected.astype(float), rtol=50 * eps)
