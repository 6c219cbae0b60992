"""`fairgrad`: weights that are a power of their objective's gain."""

import numpy as np
import pytest
from convex import (
    METHODS,
    cases,
    counts,
    gramians,
    run,
    solve,
    solved,
    surrounding_zero,
    with_a_zero_gradient,
)
from gramians import DEPENDENT, dtypes, families, gramian_of, norms_of
from properties import assert_golden_in_float32, relative_error
from scipy.optimize import root
from torchjd_golden import golden_cases

import mmpareto_jax as mmp

WEIGHTS = {alpha: METHODS[f"fairgrad_{alpha}"] for alpha in (1, 2)}
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
@alphas
def test_a_zero_gradient_has_no_weight(alpha, dtype):
    gramian = with_a_zero_gradient(dtype)
    weights = solve(WEIGHTS[alpha], gramian)
    assert weights[2] == 0
    kept = np.delete(weights, 2).astype(float)
    error = np.delete(gramian.astype(float) @ weights, 2) * kept ** (1 / alpha) - 1
    assert np.abs(error).max() < 100 * np.finfo(dtype).eps


@dtypes
@counts
def test_zero_gradients_have_no_weights(count, dtype):
    assert not solve(WEIGHTS[1], np.zeros((count, count), dtype)).any()


@dtypes
@counts
@alphas
def test_stationary(alpha, count, dtype):
    assert not solve(WEIGHTS[alpha], gramian_of(surrounding_zero(count), dtype)).any()


@pytest.mark.parametrize("alpha", [0.0, -1.0])
def test_bad_arguments(alpha):
    with pytest.raises(ValueError, match="alpha must be positive and finite"):
        mmp.weightings.fairgrad(alpha)
