"""`dual_proj` and `upgrad`: TorchJD's projections, and other weights than the mean's."""

import jax.numpy as jnp
import numpy as np
import pytest
from convex import METHODS, solve
from properties import assert_golden_in_float32, relative_error
from torchjd_golden import golden_cases

import mmpareto_jax as mmp

names = pytest.mark.parametrize("name", ["dual_proj", "upgrad"])


def regularized(gramian):
    """The Gramian that TorchJD solves for in the place of a given one."""
    return gramian / np.trace(gramian) + 1e-4 * np.eye(len(gramian))


@names
def test_golden_projections_solve_a_regularized_problem(name):
    for case, jacobian, expected in golden_cases(name.replace("_", "")):
        found = solve(METHODS[name], regularized(jacobian @ jacobian.T))
        assert relative_error(found @ jacobian, expected) < 1e-12, case


@names
def test_golden_in_float32(name):
    assert_golden_in_float32(METHODS[name], name.replace("_", ""), regularized)


@names
def test_preferences(name):
    """The projection of the first of three gradients, of twice its length."""
    gramian = jnp.array([[1.0, -1.0, 0.5], [-1.0, 4.0, 0.0], [0.5, 0.0, 1.0]])
    weighting = getattr(mmp.weightings, name)([2.0, 0.0, 0.0])
    weights, _ = weighting.update(gramian, weighting.init(3))
    np.testing.assert_allclose(weights, [2.0, 0.5, 0.0], atol=1e-6)
