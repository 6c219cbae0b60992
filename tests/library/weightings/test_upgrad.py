"""`upgrad`: the mean of the gradients, each projected on the dual cone."""

import numpy as np
import pytest
from convex import cases, counts, solve, surrounding_zero, weights_of, with_a_zero_gradient
from gramians import DEPENDENT, dtypes, families, norms_of
from projections import assert_golden, assert_takes_a_preference, projections, regularized
from properties import (
    assert_a_preference_has_the_number_of_objectives,
    assert_finite_without_gradients,
    assert_golden_in_float32,
    assert_not_finite_where_the_gramian_is_not,
    assert_scales,
    assert_vanishes,
    assert_vmap_and_scan_equal_a_loop,
)

import mmpareto_jax as mmp

WEIGHTS = weights_of(mmp.weightings.upgrad())


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


def test_golden_projections_solve_a_regularized_problem():
    assert_golden(WEIGHTS, "upgrad")


def test_golden_in_float32():
    assert_golden_in_float32(WEIGHTS, "upgrad", regularized)


def test_preferences():
    assert_takes_a_preference(mmp.weightings.upgrad)


def test_a_preference_must_have_the_number_of_objectives():
    assert_a_preference_has_the_number_of_objectives(mmp.weightings.upgrad)


@dtypes
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scaled_gradients(scale, dtype):
    assert_scales(WEIGHTS, scale, dtype)


@dtypes
def test_a_zero_gradient_gives_finite_weights(dtype):
    assert np.isfinite(solve(WEIGHTS, with_a_zero_gradient(dtype))).all()


@dtypes
@counts
def test_nothing_but_zero_gradients(count, dtype):
    assert_finite_without_gradients(WEIGHTS, count, dtype)


@dtypes
def test_one_objective(dtype):
    np.testing.assert_allclose(solve(WEIGHTS, np.array([[4.0]], dtype)), 1, rtol=1e-6)


@dtypes
@counts
def test_stationary(count, dtype):
    assert_vanishes(WEIGHTS, surrounding_zero(count), dtype)


@dtypes
@counts
def test_a_non_finite_gramian_gives_non_finite_weights(count, dtype):
    assert_not_finite_where_the_gramian_is_not(WEIGHTS, count, dtype)


@counts
def test_vmap_and_scan_equal_a_loop(count):
    assert_vmap_and_scan_equal_a_loop(WEIGHTS, count, "float64")
