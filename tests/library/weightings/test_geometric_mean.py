"""`geometric_mean`: the gradient of the geometric mean of the losses."""

import numpy as np
import pytest
import rivals_reference as reference
from stepping import close, in_float64, random_steps, run

import mmpareto_jax as mmp


@pytest.mark.parametrize("count", [1, 2, 5])
def test_geometric_mean(count):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.geometric_mean(), steps)
    close(found, np.stack([reference.geometric_mean(losses) for _, losses in steps]))


def test_geometric_mean_does_not_overflow():
    for scale in (1e-30, 1e30):
        losses = np.full((1, 4), scale, np.float32) * np.arange(1, 5, dtype=np.float32)
        found = run(mmp.weightings.geometric_mean(), np.eye(4, dtype=np.float32)[None], losses)
        expected = 24**0.25 / (4 * np.arange(1.0, 5.0))
        np.testing.assert_allclose(found[0], expected, rtol=1e-4)
