"""`dual_proj`: the mean gradient projected on the dual cone."""

import numpy as np
import pytest
from convex import cases, counts, solve, surrounding_zero, weights_of, with_a_zero_gradient
from gramians import DEPENDENT, dtypes, families
from projections import assert_golden, assert_projection, assert_takes_a_preference, regularized
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

WEIGHTS = weights_of(mmp.weightings.dual_proj())


@dtypes
@families
def test_dual_cone_weights_meet_the_conditions(family, dtype):
    for gramian, weights in cases(WEIGHTS, family, dtype):
        mean = np.full(len(gramian), 1 / len(gramian), dtype).astype(np.longdouble)
        assert_projection(gramian, mean, weights, np.finfo(dtype).eps, family in DEPENDENT)


def test_golden_projections_solve_a_regularized_problem():
    assert_golden(WEIGHTS, "dualproj")


def test_golden_in_float32():
    assert_golden_in_float32(WEIGHTS, "dualproj", regularized)


def test_preferences():
    assert_takes_a_preference(mmp.weightings.dual_proj)


def test_a_preference_must_have_the_number_of_objectives():
    assert_a_preference_has_the_number_of_objectives(mmp.weightings.dual_proj)


@dtypes
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scaled_gradients(scale, dtype):
    assert_scales(WEIGHTS, scale, dtype)


@dtypes
def test_a_zero_gradient_gives_finite_weights(dtype):
    found = solve(WEIGHTS, with_a_zero_gradient(dtype))
    assert np.isfinite(found).all()
    assert found[2] == np.asarray(1 / 5, dtype)


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
