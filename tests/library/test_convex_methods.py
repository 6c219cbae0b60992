"""Methods that solve a convex problem, on degenerate, trivial and rescaled Gramians.

The optimality conditions of each method are tested in the file of its name in `weightings/`.
"""

import numpy as np
import pytest
from convex import METHODS, counts, solve, surrounding_zero, with_a_zero_gradient
from gramians import dtypes
from projections import projections
from properties import (
    assert_finite_without_gradients,
    assert_not_finite_where_the_gramian_is_not,
    assert_scales,
    assert_vanishes,
    assert_vmap_and_scan_equal_a_loop,
)

FUNCTIONS = METHODS | {"dual_cone_weights": projections}

POWERS = dict.fromkeys(METHODS, 0.0) | {"fairgrad_1": -1.0, "fairgrad_2": -4 / 3}
"""The power of the scale of all gradients by which the weights change."""

ALONE = {
    "dual_proj": 1.0,
    "upgrad": 1.0,
    "cagrad_0.5": 1.5,
    "cagrad_1.5": 2.5,
    "fairgrad_1": 0.5,
    "fairgrad_2": 4 ** (-2 / 3),
}
"""The weight of one gradient of length two."""

functions = pytest.mark.parametrize("name", FUNCTIONS)


@dtypes
@pytest.mark.parametrize("scale", [1e-12, 1e12])
@pytest.mark.parametrize("name", METHODS)
def test_scaled_gradients(name, scale, dtype):
    assert_scales(METHODS[name], scale, dtype, POWERS[name])


@dtypes
@functions
def test_a_zero_gradient_gives_finite_weights(name, dtype):
    assert np.isfinite(solve(FUNCTIONS[name], with_a_zero_gradient(dtype))).all()


@dtypes
@counts
@functions
def test_nothing_but_zero_gradients(name, count, dtype):
    assert_finite_without_gradients(FUNCTIONS[name], count, dtype)


@dtypes
@pytest.mark.parametrize("name", METHODS)
def test_one_objective(name, dtype):
    found = solve(METHODS[name], np.array([[4.0]], dtype))
    np.testing.assert_allclose(found, ALONE[name], rtol=1e-6)


@dtypes
@counts
@pytest.mark.parametrize("name", ["dual_proj", "upgrad"])
def test_stationary(name, count, dtype):
    assert_vanishes(METHODS[name], surrounding_zero(count), dtype)


@dtypes
@counts
@functions
def test_a_non_finite_gramian_gives_non_finite_weights(name, count, dtype):
    assert_not_finite_where_the_gramian_is_not(FUNCTIONS[name], count, dtype)


@counts
@functions
def test_vmap_and_scan_equal_a_loop(name, count):
    assert_vmap_and_scan_equal_a_loop(FUNCTIONS[name], count, "float64")
