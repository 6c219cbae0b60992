"""`stch`: the gradient of the smooth Tchebycheff value."""

import numpy as np
import pytest
import rivals_reference as reference
from gramians import dtypes
from stepping import close, in_float64, random_steps, run

import mmpareto_jax as mmp


@pytest.mark.parametrize(
    ("mu", "preference", "ideal"),
    [(1.0, None, None), (0.2, None, [0.1, 0.0, 0.3]), (3.0, [0.2, 0.5, 0.3], None)],
)
def test_stch(mu, preference, ideal):
    steps = random_steps(3)
    found = in_float64(mmp.weightings.stch(mu, preference, ideal), steps)
    weights = np.full(3, 1 / 3) if preference is None else np.array(preference)
    best = np.zeros(3) if ideal is None else np.array(ideal)
    close(found, np.stack([reference.stch(losses, mu, weights, best) for _, losses in steps]))


@pytest.mark.parametrize("argument", ["preference", "ideal"])
def test_stch_options_must_have_the_number_of_objectives(argument):
    with pytest.raises(ValueError, match=argument):
        mmp.weightings.stch(**{argument: [0.5, 0.5]}).init(3)


@dtypes
def test_stch_of_a_small_mu_picks_the_largest_loss(dtype):
    losses = np.array([[1000.0, 3000.0, 2000.0]], dtype)
    found = run(mmp.weightings.stch(mu=1e-3), np.eye(3, dtype=dtype)[None], losses)
    np.testing.assert_allclose(found, [[0.0, 1 / 3, 0.0]], rtol=1e-6)
