"""`trimmed_mean`: the mean of each coordinate without its extremes."""

import numpy as np
import pytest
import rivals_reference as reference
from stepping import close, update_of
from torchjd_golden import golden_cases

import mmpareto_jax as mmp


@pytest.mark.parametrize("count", [3, 4, 6])
def test_trimmed_mean_of_one_agrees_with_torchjd(count):
    options = {"fraction": 1 / count + 1e-9, "num_objectives": count}
    for _, jacobian, expected in golden_cases("trimmed_mean_1", count):
        close(update_of(mmp.trimmed_mean, {"w": jacobian}, **options)["w"], expected, rtol=1e-6)
        found = update_of(mmp.trimmed_mean, {"w": jacobian.astype(np.float32)}, **options)["w"]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("count", "fraction", "dropped"),
    [(4, 0.2, 0), (5, 0.2, 1), (10, 0.3, 3), (3, 0.34, 1), (9, 0.0, 0)],
)
def test_trimmed_mean_drops_the_floor_of_its_fraction(count, fraction, dropped):
    gradients = np.random.default_rng(count).standard_normal((count, 12))
    grads = {"w": gradients[:, :8].reshape(count, 2, 4), "b": gradients[:, 8:]}
    found = update_of(mmp.trimmed_mean, grads, fraction=fraction, num_objectives=count)
    expected = reference.trimmed_mean(gradients, dropped)
    close(found["w"], expected[:8].reshape(2, 4))
    close(found["b"], expected[8:])
