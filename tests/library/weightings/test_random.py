"""`random`: new weights for every step."""

import numpy as np
from gramians import gramian_of
from properties import assert_a_seed_fixes_the_draws
from stepping import close, run

import mmpareto_jax as mmp


def test_random_weights_are_the_softmax_of_normals():
    steps, count = 4000, 3
    found = run(mmp.weightings.random(), gramian_of(np.zeros((steps, count, 1))))
    close(found.sum(axis=1), np.ones(steps))
    assert (found > 0.0).all()
    assert len(np.unique(found[:, 0])) == steps
    centered = np.log(found) - np.log(found).mean(axis=1, keepdims=True)
    covariance = centered.T @ centered / steps  # of normals less their mean: I - 1/K
    np.testing.assert_allclose(covariance, np.eye(count) - 1.0 / count, atol=0.08)
    assert np.abs(centered.mean(axis=0)).max() < 0.06
    assert (np.abs(centered).max(axis=0) > 2.0).all()
    lagged = centered[1:].T @ centered[:-1] / steps
    np.testing.assert_allclose(lagged, np.zeros((count, count)), atol=0.06)


def test_a_seed_fixes_the_draws():
    assert_a_seed_fixes_the_draws(mmp.weightings.random)
