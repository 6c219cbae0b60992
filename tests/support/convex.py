"""The weights of methods that solve a convex problem, for Gramians of every family.

The tests evaluate optimality conditions in extended precision. What these are allowed is what
rounding does to the sums that they compare, with `u = eps` of the dtype, `n_i = |g_i|` and
`L = sum_i |v_i| n_i`, the size that a combination would have without cancellation: storing `v` and
summing K terms moves `(M v)_i` by up to `K u n_i L`.
"""

from functools import cache

import jax
import numpy as np
import pytest
from compiling import quick_jit
from gramians import FAMILIES, gramian_of

import mmpareto_jax as mmp

COUNTS = (2, 5)  # the program of a method takes seconds to compile
CASES_EACH = 25

counts = pytest.mark.parametrize("count", COUNTS)


def weights_of(weighting):
    """A function from a Gramian to the weights of a first step."""

    def weights(gramian):
        return weighting.update(gramian, weighting.init(len(gramian)))[0]

    return weights


METHODS = {
    "dual_proj": weights_of(mmp.weightings.dual_proj()),
    "upgrad": weights_of(mmp.weightings.upgrad()),
    "cagrad_0.5": weights_of(mmp.weightings.cagrad(0.5)),
    "cagrad_1.5": weights_of(mmp.weightings.cagrad(1.5)),
    "fairgrad_1": weights_of(mmp.weightings.fairgrad(1.0)),
    "fairgrad_2": weights_of(mmp.weightings.fairgrad(2.0)),
}
"""The functions under test by method and parameter, here so that all files share one program."""


@cache
def compiled(function):
    """The function for one Gramian, and the one for many, `[N, K, K]`."""
    return quick_jit(function), quick_jit(jax.vmap(function))


def run(function, gramian):
    """The outcome in the dtype of the Gramian, without any implicit promotion."""
    with jax.enable_x64(gramian.dtype == np.float64), jax.numpy_dtype_promotion("strict"):
        return np.asarray(function(gramian))


def solve(weights, gramian):
    """The weights of a Gramian, by a compiled program."""
    return run(compiled(weights)[0], gramian)


@cache
def gramians(count, dtype):
    """`CASES_EACH` Gramians of each family, one family after the other."""
    rng = np.random.default_rng([7, count])
    return np.stack(
        [gramian_of(family(rng, count), dtype) for family in FAMILIES for _ in range(CASES_EACH)]
    )


@cache
def solved(weights, count, dtype):
    """The weights of all `gramians`."""
    return run(compiled(weights)[1], gramians(count, dtype))


def cases(weights, family, dtype):
    """`(Gramian, weights)` of each case of a family, in extended precision."""
    first = FAMILIES.index(family) * CASES_EACH
    for count in COUNTS:
        given, found = gramians(count, dtype), solved(weights, count, dtype)
        for i in range(first, first + CASES_EACH):
            yield given[i].astype(np.longdouble), found[i].astype(np.longdouble)


def with_a_zero_gradient(dtype):
    """The Gramian of five gradients, the third of them zero."""
    gradients = np.random.default_rng(3).standard_normal((5, 9)) + 0.5
    gradients[2] = 0
    return gramian_of(gradients, dtype)


def surrounding_zero(count):
    """Gradients of which a combination with positive weights is zero."""
    return np.vstack([np.eye(count - 1), -np.arange(2.0, count + 1)[None, :]])
