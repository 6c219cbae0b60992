"""`alpha_fair_weights` at a small alpha; test_fairgrad.py has the equation that it solves."""

import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit
from convex import run

import mmpareto_jax as mmp


def test_a_small_alpha_projects_the_sum_of_the_gradients():
    """In the limit each weight is at least one: the dual cone's problem with a preference of ones.

    Near it a weight is off by alpha times the logarithm of its objective's gain.
    """
    gramian = np.array([[1.0, -2.0], [-2.0, 5.0]])
    limit = run(lambda m: mmp.solvers.dual_cone_weights(m, jnp.ones(2)), gramian)
    np.testing.assert_allclose(limit, [2, 1])
    fair = run(quick_jit(lambda m: mmp.solvers.alpha_fair_weights(m, 0.01)), gramian)
    np.testing.assert_allclose(fair, limit, rtol=0.02)


def test_bad_arguments():
    with pytest.raises(ValueError, match="a Gramian is a square matrix"):
        mmp.solvers.alpha_fair_weights(jnp.ones((2, 3)), 1.0)
