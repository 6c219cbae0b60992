"""`conflict_averse_weights` against a grid; test_cagrad.py has the duality gap."""

import jax.numpy as jnp
import numpy as np
import pytest

import mmpareto_jax as mmp


@pytest.mark.parametrize("c", [0.0, 0.5, 1.0])
def test_cagrad_takes_the_worst_over_the_gradients_that_are_not_zero(c):
    """No direction of a grid on the ball around the mean of all three is better."""
    rows = np.array([[1.0, 0.0], [-0.5, 1.0], [0.0, 0.0]])
    mean = rows.mean(axis=0)
    weights = np.asarray(mmp.solvers.conflict_averse_weights(jnp.asarray(rows @ rows.T), c))
    angles, radii = np.meshgrid(np.linspace(0, 2 * np.pi, 7201), np.linspace(0, 1, 21))
    ball = c * np.linalg.norm(mean) * radii * np.array([np.cos(angles), np.sin(angles)])
    best = np.max(np.min(np.tensordot(rows[:2], mean[:, None, None] + ball, 1), axis=0))
    found = np.min(rows[:2] @ (weights.astype(float) @ rows))
    np.testing.assert_allclose(found, best, rtol=1e-3)


def test_bad_arguments():
    with pytest.raises(ValueError, match="a Gramian is a square matrix"):
        mmp.solvers.conflict_averse_weights(jnp.ones((2, 3)), 0.5)
