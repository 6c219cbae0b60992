"""`fairgrad`: weights that are a power of their objective's gain."""

import numpy as np
import pytest
from convex import (
    cases,
    counts,
    gramians,
    run,
    solve,
    solved,
    surrounding_zero,
    weights_of,
    with_a_zero_gradient,
)
from gramians import DEPENDENT, dtypes, families, gramian_of, norms_of
from properties import (
    assert_finite_without_gradients,
    assert_golden_in_float32,
    assert_not_finite_where_the_gramian_is_not,
    assert_scales,
    assert_vmap_and_scan_equal_a_loop,
    relative_error,
)
from scipy.optimize import root
from torchjd_golden import golden_cases

import mmpareto_jax as mmp

WEIGHTS = {alpha: weights_of(mmp.weightings.fairgrad(float(alpha))) for alpha in (1, 2)}
alphas = pytest.mark.parametrize("alpha", WEIGHTS)


@dtypes
@alphas
@families
def test_alpha_fair_weights_solve_the_equation(family, alpha, dtype):
    eps = np.finfo(dtype).eps
    for gramian, weights in cases(WEIGHTS[alpha], family, dtype):
        if not weights.any():  # only where no solution exists
            assert family in DEPENDENT
            assert nearest_to_zero(gramian) <= 64 * eps
            continue
        assert (weights > 0).all()
        error = np.abs(gramian @ weights - weights ** (-1 / np.longdouble(alpha)))
        assert (error <= 4 * len(gramian) * eps * (np.abs(gramian) @ weights)).all()


def nearest_to_zero(gramian):
    """Squared norm of the min-norm point of the normalized gradients over its uncanceled size."""
    norms = norms_of(gramian)
    cosines = (gramian / np.outer(norms, norms)).astype(np.float64)
    weights = run(mmp.min_norm_weights, cosines)
    return weights @ cosines @ weights


@alphas
def test_alpha_fair_weights_agree_with_scipy(alpha):
    given, found = gramians(5, "float64")[:8], solved(WEIGHTS[alpha], 5, "float64")[:8]
    for gramian, weights in zip(given, found, strict=True):
        equation = lambda t, m=gramian: m @ np.exp(t) - np.exp(-t / alpha)
        solution = root(equation, np.zeros(5), tol=1e-13)
        np.testing.assert_allclose(weights, np.exp(solution.x), rtol=1e-8)


@alphas
def test_golden_fairgrad(alpha):
    for name, jacobian, expected in golden_cases(f"fairgrad_{alpha}"):
        found = solve(WEIGHTS[alpha], jacobian @ jacobian.T)
        assert relative_error(found @ jacobian, expected) < 1e-6, name


@alphas
def test_golden_in_float32(alpha):
    assert_golden_in_float32(WEIGHTS[alpha], f"fairgrad_{alpha}")


@dtypes
@pytest.mark.parametrize("scale", [1e-12, 1e12])
@pytest.mark.parametrize(("alpha", "power"), [(1, -1.0), (2, -4 / 3)])
def test_scaled_gradients(alpha, power, scale, dtype):
    assert_scales(WEIGHTS[alpha], scale, dtype, power)


@dtypes
@alphas
def test_a_zero_gradient_gives_finite_weights(alpha, dtype):
    gramian = with_a_zero_gradient(dtype)
    weights = solve(WEIGHTS[alpha], gramian)
    assert np.isfinite(weights).all()
    assert weights[2] == 0
    kept = np.delete(weights, 2).astype(float)
    error = np.delete(gramian.astype(float) @ weights, 2) * kept ** (1 / alpha) - 1
    assert np.abs(error).max() < 100 * np.finfo(dtype).eps


@dtypes
@counts
@alphas
def test_nothing_but_zero_gradients(alpha, count, dtype):
    assert_finite_without_gradients(WEIGHTS[alpha], count, dtype)
    if alpha == 1:
        assert not solve(WEIGHTS[alpha], np.zeros((count, count), dtype)).any()


@dtypes
@pytest.mark.parametrize(("alpha", "expected"), [(1, 0.5), (2, 4 ** (-2 / 3))])
def test_one_objective(alpha, expected, dtype):
    found = solve(WEIGHTS[alpha], np.array([[4.0]], dtype))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@dtypes
@counts
@alphas
def test_stationary(alpha, count, dtype):
    assert not solve(WEIGHTS[alpha], gramian_of(surrounding_zero(count), dtype)).any()


@dtypes
@counts
@alphas
def test_a_non_finite_gramian_gives_non_finite_weights(alpha, count, dtype):
    assert_not_finite_where_the_gramian_is_not(WEIGHTS[alpha], count, dtype)


@counts
@alphas
def test_vmap_and_scan_equal_a_loop(alpha, count):
    assert_vmap_and_scan_equal_a_loop(WEIGHTS[alpha], count, "float64")


@pytest.mark.parametrize("alpha", [0.0, -1.0])
def test_bad_arguments(alpha):
    with pytest.raises(ValueError, match="alpha must be positive and finite"):
        mmp.weightings.fairgrad(alpha)
