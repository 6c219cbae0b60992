"""`mmpareto` against Algorithm 1 in NumPy, through `mmp.mmpareto`.

On 1,000 pairs in each precision: 500 with cosines down to -0.9, 500 from there down to -0.999.
"""

import jax.numpy as jnp
import numpy as np
import pytest
from conflict import GRAMIAN, first_weights
from gramians import dtypes, log_uniform
from pairs import (
    ACCURACY,
    GAMMA,
    NARROW,
    WIDE,
    controlled_pair,
    expected_pair,
    integrate,
    random_pairs,
)
from properties import relative_error

import mmpareto_jax as mmp

floors = pytest.mark.parametrize("floor", [WIDE, NARROW])


@dtypes
@floors
def test_update_equals_algorithm_1(dtype, floor):
    errors = [
        relative_error(integrate(pair).update, expected_pair(pair).update)
        for pair in random_pairs(dtype, floor)
    ]
    assert len(errors) == 500
    assert max(errors) <= ACCURACY[dtype, floor]


@dtypes
@floors
def test_magnitude_is_gamma_times_that_of_the_sum(dtype, floor):
    for pair in list(random_pairs(dtype, floor))[:300]:
        expected = GAMMA * np.linalg.norm(pair.astype(np.float64).sum(axis=0))
        found = np.linalg.norm(integrate(pair).update.astype(np.float64))
        assert found == pytest.approx(expected, rel=ACCURACY[dtype, floor])


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=["bfloat16", "float16"])
def test_half_precision_update_is_off_by_its_own_rounding_only(dtype):
    rng = np.random.default_rng(3)
    for length in (10, 100, 1_000, 10_000):
        for _ in range(25):
            ratio = log_uniform(rng, 0.1, 10.0)
            cosine = rng.choice([rng.uniform(WIDE, -0.1), rng.uniform(0.1, 1.0)], p=[0.8, 0.2])
            # entries near 1, inside the range of float16
            pair = controlled_pair(rng, length, cosine, ratio, dtype, np.sqrt(length))
            update = integrate(pair).update
            assert update.dtype == dtype
            expected = expected_pair(pair).update
            rounding = float(jnp.finfo(dtype).eps) / 2
            assert relative_error(update, expected) <= rounding + ACCURACY["float32", WIDE]


# ---------------------------------------------------------------- what the state says


@dtypes
@floors
def test_reported_weights_reproduce_the_update(dtype, floor):
    for pair in list(random_pairs(dtype, floor))[:100]:
        update, report = integrate(pair)
        combined = report.weights.astype(np.float64) @ pair.astype(np.float64)
        assert relative_error(update, combined) <= ACCURACY[dtype, floor]


@dtypes
def test_report_agrees_with_the_gradients(dtype):
    tolerance = ACCURACY[dtype, WIDE]
    for pair in list(random_pairs(dtype, WIDE))[:100]:
        report, expected = integrate(pair).report, expected_pair(pair)
        assert report.cosine == pytest.approx(expected.cosine, abs=tolerance)
        norms = np.linalg.norm(pair.astype(np.float64), axis=1)
        np.testing.assert_allclose(report.norms, norms, rtol=tolerance)
        # gamma lambda: what the weights 2 alpha, which sum to 2, are multiplied with
        assert report.scale == pytest.approx(expected.weights.sum() / 2.0, rel=tolerance)
        assert bool(report.conflict) == (expected.cosine < 0)
        assert not report.stationary


# ------------------------------ where the rule jumps: a product of exactly zero is no conflict


@dtypes
@pytest.mark.parametrize("product", [2.0**-12, 2.0**-40, 0.0])
def test_non_negative_product_gives_the_plain_sum(dtype, product):
    pair = np.array([[1, 0], [product, 2]], dtype)
    update, report = integrate(pair)
    np.testing.assert_allclose(update, GAMMA * pair.sum(axis=0), rtol=1e-6)
    assert not report.conflict


@dtypes
@pytest.mark.parametrize("product", [-(2.0**-12), -(2.0**-40)])
def test_negative_product_gives_the_min_norm_direction(dtype, product):
    pair = np.array([[1, 0], [product, 2]], dtype)
    update, report = integrate(pair)
    assert relative_error(update, expected_pair(pair).update) <= ACCURACY[dtype, WIDE]
    assert update[0] > update[1]  # the plain sum has it the other way round
    assert report.conflict


# ---------------------------------------------------------------- the weighting on its own


def test_mmpareto_weights_are_enlarged_min_norm_weights():
    # |2 alpha . g|^2 = 4 (a b - c^2) / (a + b - 2 c) = 12 / 7 and |g_m + g_u|^2 = 3
    found = first_weights(mmp.weightings.mmpareto(gamma=2.0))
    scale = 2.0 * np.sqrt(3 / (12 / 7))
    np.testing.assert_allclose(found, scale * np.array([10 / 7, 4 / 7]), rtol=1e-6)


def test_mmpareto_weights_are_gamma_without_conflict():
    found = first_weights(mmp.weightings.mmpareto(gamma=2.0), abs(GRAMIAN))
    np.testing.assert_allclose(found, [2.0, 2.0], rtol=1e-6)
