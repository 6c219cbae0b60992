"""`min_norm_weights` against the optimality conditions and against enumeration of all supports.

The condition is `min_j (M w)_j >= w^T M w (1 - tol)`. It cannot be met, by any method, where the
hull comes so near to 0 that `w^T M w` is lost in rounding: storing `w` alone, each weight off by
`u w_i`, moves `(M w)_j` by up to `u |g_j| L`, with `u = eps / 2` and `L = sum_i w_i |g_i|`. The
exact minimizer, shifted before rounding so that the error falls on the right side, still misses
by up to `u L^2` (measured), and `tol w^T M w` is less than `eps L^2` only where
`w^T M w < (eps / tol) L^2`. Those points, and no others, are *unresolved*:

* above `u L^2` the condition has for objective j the allowance `K u L (|g_j| + L)`, what rounding
  does to the two sums of K terms that it compares, `(M w)_j` and `w^T M w`;
* up to `u L^2` the point counts as zero: the entries of M, themselves rounded by `u |g_i| |g_j|`,
  do not tell its gradients from ones whose combination vanishes. Nothing more is asked of it.
"""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit
from gramians import DEPENDENT, FAMILIES, dtypes, families, gramian_of, random
from properties import assert_on_the_simplex
from reference import kkt_residual, min_norm_brute_force, optimality
from scipy.optimize import nnls

import mmpareto_jax as mmp

COUNTS = range(2, 11)
CASES_EACH = 40
TOLERANCE = {"float32": 1e-3, "float64": 1e-8}

solve = quick_jit(mmp.min_norm_weights)
solve_many = quick_jit(jax.vmap(mmp.min_norm_weights))


@cache
def gramians(family, count, dtype):
    rng = np.random.default_rng([FAMILIES.index(family), count])
    return np.stack([gramian_of(family(rng, count), dtype) for _ in range(CASES_EACH)])


def run(function, gramian):
    with jax.enable_x64(gramian.dtype == np.float64):
        return np.asarray(function(gramian))


class Solved(NamedTuple):
    gramian: np.ndarray
    weights: np.ndarray
    resolved: bool
    zero: bool


def is_resolved(gramian, weights, dtype):
    point = optimality(gramian, weights)
    return bool(point.value >= np.finfo(dtype).eps / TOLERANCE[dtype] * point.length**2)


def is_zero(gramian, weights, dtype):
    point = optimality(gramian, weights)
    return bool(point.value <= np.finfo(dtype).eps / 2 * point.length**2)


@cache
def solved(family, dtype):
    return [
        Solved(m, w, is_resolved(m, w, dtype), is_zero(m, w, dtype))
        for given in (gramians(family, count, dtype) for count in COUNTS)
        for m, w in zip(given, run(solve_many, given), strict=True)
    ]


def test_brute_force_agrees_with_nnls():
    rng = np.random.default_rng(0)
    for _ in range(50):
        gradients = random(rng, 5)
        # min |G^T u|^2 + (sum(u) - 1)^2 over u >= 0 is attained along the min-norm weights
        system = np.vstack([gradients.T, np.ones(5)])
        target = np.append(np.zeros(gradients.shape[1]), 1.0)
        u, _ = nnls(system, target)
        weights = min_norm_brute_force(gradients @ gradients.T)
        np.testing.assert_allclose(weights, u / u.sum(), rtol=0, atol=1e-9)


@dtypes
@families
def test_optimality_conditions_hold(family, dtype):
    residuals = [kkt_residual(m, w) for m, w, resolved, _ in solved(family, dtype) if resolved]
    assert max(residuals) <= TOLERANCE[dtype]


@families
def test_median_violation_is_rounding(family):
    residuals = [kkt_residual(m, w) for m, w, resolved, _ in solved(family, "float32") if resolved]
    assert np.median(residuals) < 1e-6


@dtypes
@families
def test_optimality_conditions_hold_to_rounding_where_the_hull_meets_zero(family, dtype):
    unit = np.finfo(dtype).eps / 2
    for gramian, weights, resolved, zero in solved(family, dtype):
        if resolved or zero:
            continue
        point = optimality(gramian, weights)
        allowance = len(weights) * unit * point.length * (point.norms + point.length)
        assert (point.products >= (1 - TOLERANCE[dtype]) * point.value - allowance).all()


@dtypes
@families
def test_only_rank_deficient_gramians_are_unresolved(family, dtype):
    cases = solved(family, dtype)
    unresolved = sum(not case.resolved for case in cases)
    zero = sum(case.zero for case in cases)
    print(f"{family.__name__}, {dtype}: {unresolved} of {len(cases)} unresolved, {zero} of them 0")
    assert unresolved == 0 or family in DEPENDENT


@dtypes
@families
def test_objective_is_that_of_the_best_support(family, dtype):
    for gramian, weights, resolved, _ in solved(family, dtype)[: 5 * CASES_EACH : 5]:  # K = 2 to 6
        enumerated = min_norm_brute_force(gramian)
        best, point = optimality(gramian, enumerated), optimality(gramian, weights)
        rounding = 0.0  # of the given entries: it makes a singular Gramian slightly indefinite
        if not (resolved and is_resolved(gramian, enumerated, dtype)):
            longest = max(best.length, point.length)
            rounding = len(weights) * float(np.finfo(dtype).eps) * longest**2
        assert point.value <= best.value + TOLERANCE[dtype] * abs(best.value) + rounding


@dtypes
@families
def test_weights_are_on_the_simplex(family, dtype):
    for _, weights, *_ in solved(family, dtype):
        assert_on_the_simplex(weights, 4 * np.finfo(dtype).eps)


@dtypes
def test_weights_have_the_dtype_of_the_gramian(dtype):
    assert run(solve, gramians(random, 3, dtype)[0]).dtype == dtype


@dtypes
@pytest.mark.parametrize("count", [2, 3, 10])
def test_vmap_equals_a_loop(count, dtype):
    given = gramians(random, count, dtype)
    together = run(solve_many, given)
    one_by_one = np.stack([run(solve, gramian) for gramian in given])
    np.testing.assert_allclose(together, one_by_one, rtol=0, atol=50 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("count", [2, 3])
def test_jit_equals_eager(count, dtype):
    gramian = gramians(random, count, dtype)[0]
    expected, found = run(mmp.min_norm_weights, gramian), run(solve, gramian)
    np.testing.assert_allclose(found, expected, rtol=0, atol=50 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("count", [2, 3, 6, 10])
def test_permuting_objectives_permutes_weights(count, dtype):
    rng = np.random.default_rng(count)
    shape = (count, 6 * count)
    given = [gramian_of(rng.standard_normal(shape), dtype) for _ in range(CASES_EACH)]
    orders = [rng.permutation(count) for _ in given]
    permuted = np.stack([m[np.ix_(p, p)] for m, p in zip(given, orders, strict=True)])
    expected = [w[p] for w, p in zip(run(solve_many, np.stack(given)), orders, strict=True)]
    found = run(solve_many, permuted)
    np.testing.assert_allclose(found, expected, rtol=0, atol=50 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("exponent", [-60, -20, 20, 60])
def test_scaling_all_objectives_leaves_weights(exponent, dtype):
    given = gramians(random, 4, dtype)
    scaled = given * np.asarray(2.0**exponent, dtype)
    found, expected = run(solve_many, scaled), run(solve_many, given)
    np.testing.assert_allclose(found, expected, rtol=0, atol=50 * np.finfo(dtype).eps)


@dtypes
def test_one_objective_has_weight_one(dtype):
    for squared_norm in (0.0, 1e-12, 3.0):
        assert run(solve, np.array([[squared_norm]], dtype)).tolist() == [1.0]


@dtypes
@pytest.mark.parametrize("count", [2, 3, 10])
def test_a_zero_gradient_takes_all_the_weight(count, dtype):
    gradients = random(np.random.default_rng(0), count)
    gradients[1] = 0.0
    expected = np.eye(count)[1]
    np.testing.assert_allclose(run(solve, gramian_of(gradients, dtype)), expected, atol=0, rtol=0)


@dtypes
@pytest.mark.parametrize("count", [2, 3, 10])
def test_zero_gradients_give_finite_weights(count, dtype):
    assert_on_the_simplex(run(solve, np.zeros((count, count), dtype)), 4 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("count", [2, 3, 10])
def test_equal_gradients_give_a_point_of_the_simplex(count, dtype):
    assert_on_the_simplex(run(solve, np.full((count, count), 3.7, dtype)), 4 * np.finfo(dtype).eps)


@dtypes
def test_orthogonal_gradients_are_weighted_by_inverse_squares(dtype):
    squares = np.array([1.0, 2.0, 4.0])
    expected = (1 / squares) / (1 / squares).sum()
    found = run(solve, np.diag(squares).astype(dtype))
    np.testing.assert_allclose(found, expected, rtol=10 * np.finfo(dtype).eps)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (2, 2)])
@pytest.mark.parametrize("count", [3, 10])
def test_a_non_finite_gramian_gives_non_finite_weights(count, place, bad):
    gramian = gramians(random, count, "float32")[0].copy()
    gramian[place] = gramian[place[::-1]] = bad
    assert not np.isfinite(run(solve, gramian)).any()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 1)])
def test_a_non_finite_pair_gives_non_finite_weights(place, bad):
    gramian = np.array([[1.0, -0.5], [-0.5, 2.0]], np.float32)
    gramian[place] = gramian[place[::-1]] = bad
    assert not np.isfinite(run(solve, gramian)).any()


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_dtype_of_the_solver_is_promoted_implicitly(count, dtype):
    with jax.enable_x64(dtype == "float64"), jax.numpy_dtype_promotion("strict"):
        weights = jax.eval_shape(mmp.min_norm_weights, jnp.eye(count, dtype=dtype))
        assert weights.dtype == dtype
