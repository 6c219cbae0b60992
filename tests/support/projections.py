"""Whether weights project a combination of the gradients on their dual cone.

Where the objectives are dependent, more is allowed than the rounding of the sums (see `convex`):
the dual cone solver takes an objective for one inside the span of its support if the square of the
part outside, over its norm, is below `4 K u`; by Cauchy that hides a violation of
`sqrt(4 K u) n_i |G' v|`. The part inside, `sum_j x_j g_j / n_j` over the support, carries the
errors of the products there over to its own: `sum_j |x_j|` times.
"""

import jax.numpy as jnp
import numpy as np
from gramians import norms_of

import mmpareto_jax as mmp


def projections(gramian):
    """The weights `[K, K]` of the projection of each gradient by itself."""
    return mmp.solvers.dual_cone_weights(gramian, jnp.eye(len(gramian), dtype=gramian.dtype))


def assert_projection(gramian, preference, weights, eps, dependent):
    """Check that the weights are feasible, and complementary to the products, up to rounding."""
    count, norms = len(gramian), norms_of(gramian)
    size = np.abs(weights) @ norms
    products = gramian @ weights
    resolution = 2 * count * eps * norms * size
    if dependent:
        resolution *= carried_over(gramian, weights > preference)
        length = np.sqrt(max(weights @ products, 0) + count * eps * size**2)
        resolution += np.sqrt(4 * count * eps) * norms * length
    assert (weights >= preference).all()
    assert (products >= -resolution).all()
    added = (weights - preference) * norms
    assert added @ np.abs(products / np.where(norms == 0, 1, norms)) <= 2 * count * eps * size**2


def carried_over(gramian, support):
    """How often the error of a product counts: once, and where it is carried over from others."""
    norms = norms_of(gramian)
    cosines = (gramian / np.outer(norms, norms)).astype(np.float64)
    inside = np.linalg.lstsq(cosines[np.ix_(support, support)], cosines[support])[0]
    return 1 + np.where(support, 0, np.abs(inside).sum(axis=0))
