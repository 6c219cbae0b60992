"""`dual_cone_weights`: the conditions of the projection, of each gradient by itself."""

from functools import cache
from itertools import combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit
from convex import cases, run
from gramians import DEPENDENT, FAMILIES, dtypes, families, gramian_of, norms_of
from projections import assert_projection, projections

import mmpareto_jax as mmp


@dtypes
@families
def test_dual_cone_weights_meet_the_conditions(family, dtype):
    for gramian, projected in cases(projections, family, dtype):
        for preference, weights in zip(np.eye(len(gramian)), projected, strict=True):
            eps = np.finfo(dtype).eps
            assert_projection(gramian, preference, weights, eps, family in DEPENDENT)


@families
def test_dual_cone_weights_have_the_value_of_the_best_support(family):
    eps = np.finfo("float64").eps
    for gramian, projected in cases(projections, family, "float64"):
        count = len(gramian)
        norms = norms_of(gramian).astype(float)
        cosines = (gramian / np.outer(norms, norms)).astype(float)
        best = cosines[0, 0]  # of the first objective alone, in units of its norm
        for size in range(1, count + 1):
            for support in map(list, combinations(range(count), size)):
                rhs = -cosines[support, 0]
                added = np.linalg.lstsq(cosines[np.ix_(support, support)], rhs, rcond=None)[0]
                if (added >= 0).all():
                    point = np.eye(count)[0]
                    point[support] += added
                    # Where the support is singular its point is large, and its value, which
                    # cannot be negative, is known only up to the rounding of its terms.
                    rounding = 2 * count * eps * point.sum() ** 2
                    best = min(best, max(point @ cosines @ point, 0) + rounding)
        point = projected[0] * norms / norms[0]
        assert point @ cosines @ point <= best + 2 * count * eps * point.sum() ** 2


@cache
def projections_of_thirty_two():
    rng = np.random.default_rng(5)
    given = np.stack([gramian_of(family(rng, 32), "float64") for family in FAMILIES for _ in "abc"])
    return given, run(quick_jit(jax.vmap(projections)), given)


@families
def test_thirty_two_objectives(family):
    given, found = projections_of_thirty_two()
    first = 3 * FAMILIES.index(family)
    for gramian, projected in zip(given[first : first + 3], found[first : first + 3], strict=True):
        gramian = gramian.astype(np.longdouble)
        for preference, weights in zip(np.eye(32), projected, strict=True):
            eps = np.finfo("float64").eps
            assert_projection(gramian, preference, weights, eps, dependent=True)


@pytest.mark.parametrize(
    ("gramian", "message"),
    [
        (jnp.ones((2, 3)), "a Gramian is a square matrix"),
        (jnp.eye(2), "preference must have one weight for each of 2 objectives"),
    ],
    ids=["no square", "another number"],
)
def test_bad_arguments(gramian, message):
    with pytest.raises(ValueError, match=message):
        mmp.solvers.dual_cone_weights(gramian, jnp.ones(3))
