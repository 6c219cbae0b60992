"""`mmpareto` of zero, opposite, collinear and non-finite gradients."""

import numpy as np
import pytest
from gramians import dtypes, log_uniform
from pairs import GAMMA, NARROW, OPPOSITION, controlled_pair, integrate, integrate_tree
from properties import assert_opposes_none, relative_error


@dtypes
def test_nearly_opposite_gradients_give_descent_or_stationarity(dtype):
    rng = np.random.default_rng(0)
    lowest = 1e-10 if dtype == "float32" else 1e-18
    for _ in range(300):
        gap = log_uniform(rng, lowest, 1.0 + NARROW)  # 1 + cos
        ratio, length = log_uniform(rng, 1e-4, 1e4), int(rng.choice([10, 100, 1_000]))
        pair = controlled_pair(rng, length, gap - 1.0, ratio, dtype)
        update, report = integrate(pair)
        assert_opposes_none(update, pair, OPPOSITION[dtype])
        assert update.any() != report.stationary


@dtypes
def test_gradients_apart_by_a_hundred_roundings_are_not_called_stationary(dtype):
    rng = np.random.default_rng(1)
    gap = 100 * float(np.finfo(dtype).eps)
    for _ in range(50):
        pair = controlled_pair(rng, 100, gap - 1.0, log_uniform(rng, 0.1, 10.0), dtype)
        assert not integrate(pair).report.stationary


@dtypes
@pytest.mark.parametrize("ratio", [1.0, 0.5, 1024.0, 2.0**-13])
def test_exactly_opposite_gradients_are_stationary(dtype, ratio):
    rng = np.random.default_rng(2)
    for length in (10, 1_000, 100_000):
        gradient = rng.standard_normal(length).astype(dtype)
        update, report = integrate(np.stack([gradient, -gradient * np.asarray(ratio, dtype)]))
        assert report.stationary
        assert not update.any()


@dtypes
def test_zero_gradients_give_a_zero_update(dtype):
    update, report = integrate(np.zeros((2, 10), dtype))
    assert not update.any()
    assert report.stationary
    assert all(np.isfinite(field).all() for field in report)


@dtypes
@pytest.mark.parametrize("zero", [0, 1])
def test_one_zero_gradient_leaves_gamma_times_the_other(dtype, zero):
    pair = np.random.default_rng(4).standard_normal((2, 10)).astype(dtype)
    pair[zero] = 0.0
    update, report = integrate(pair)
    np.testing.assert_allclose(update, GAMMA * pair[1 - zero], rtol=1e-6)
    assert not report.stationary
    assert report.norms[zero] == 0
    assert all(np.isfinite(field).all() for field in report)


@dtypes
@pytest.mark.parametrize("factor", [1.0, 3.0, 1e-4, 1e4])
def test_collinear_gradients_give_gamma_times_their_sum(dtype, factor):
    gradient = np.random.default_rng(5).standard_normal(100).astype(dtype)
    pair = np.stack([gradient, np.asarray(factor, dtype) * gradient])
    update, report = integrate(pair)
    np.testing.assert_allclose(update, GAMMA * pair.sum(axis=0), rtol=1e-6)
    assert not report.conflict
    assert not report.stationary


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("objective", [0, 1])
def test_a_non_finite_gradient_gives_a_non_finite_update(objective, bad):
    pair = np.random.default_rng(6).standard_normal((2, 10)).astype(np.float32)
    pair[objective, 3] = bad
    assert not np.isfinite(integrate(pair).update).any()


# ---------------------------------------------------------------- zeros beside others


def with_zeros(pair, count):
    """The pair among `count` objectives, the others' gradients zero."""
    stack = np.zeros((count, pair.shape[1]), pair.dtype)
    stack[[1, count - 1]] = pair
    return stack


@dtypes
@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
@pytest.mark.parametrize("count", [3, 5])
def test_zero_gradients_take_no_part(count, rescale, dtype):
    rng = np.random.default_rng(12)
    pairs = [np.array([[1.0, 0.0] * 8, [-0.5, 1.0] * 8], dtype)]
    pairs += [
        controlled_pair(rng, 16, cosine, log_uniform(rng, 1e-3, 1e3), dtype)
        for cosine in (*rng.uniform(-0.95, -0.05, 10), *rng.uniform(0.05, 0.95, 5))
    ]
    for pair in pairs:
        alone = integrate_tree({"a": pair[:, :10], "b": pair[:, 10:]}, rescale)
        stack = with_zeros(pair, count)
        found = integrate_tree({"a": stack[:, :10], "b": stack[:, 10:]}, rescale)
        for name, expected in alone.update.items():
            np.testing.assert_allclose(found.update[name], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            found.report.weights[[1, count - 1]], alone.report.weights, rtol=1e-4, atol=1e-6
        )
        np.testing.assert_allclose(found.report.scale, alone.report.scale, rtol=1e-5)
        assert found.report.conflict == alone.report.conflict
        assert not found.report.stationary


@dtypes
@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
def test_opposite_gradients_beside_a_zero_one_are_stationary(rescale, dtype):
    pair = np.array([[1, 2, 3], [-2, -4, -6]], dtype)
    update, report = integrate_tree({"w": with_zeros(pair, 3)}, rescale)
    assert report.stationary
    assert not update["w"].any()


@dtypes
@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
def test_nothing_but_zero_gradients_is_stationary(rescale, dtype):
    update, report = integrate_tree({"w": np.zeros((3, 4), dtype)}, rescale)
    assert report.stationary
    assert not update["w"].any()


def test_a_tiny_gradient_takes_part_by_its_direction():
    """So a zero gradient is the limit of none: the updates from two sides differ.

    Each tiny gradient opposes neither of the others and is the min-norm point.
    """
    pair = np.array([[1.0, 0.0], [-0.5, 1.0]])
    for tiny in (1e-10 * np.array([0.2, 1.0]), 1e-10 * np.array([1.0, 1.0])):
        stack = np.vstack([pair, tiny])
        update = integrate(stack).update
        assert (
            relative_error(
                update, GAMMA * np.linalg.norm(pair.sum(axis=0)) * tiny / np.linalg.norm(tiny)
            )
            <= 1e-6
        )
