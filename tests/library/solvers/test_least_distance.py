"""The shortest vector with given inner products, against the enumeration of all supports."""

from itertools import chain, combinations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit

from mmpareto_jax.solvers import least_distance_weights

COUNTS = (1, 2, 3, 5)
solve = quick_jit(least_distance_weights)


def found(gradients, bounds, dtype=np.float64):
    gramian = (gradients @ gradients.T).astype(dtype)
    with jax.enable_x64(dtype == np.float64):
        weights, feasible = solve(gramian, np.asarray(bounds, dtype))
    return np.asarray(weights), bool(feasible)


def shortest(gradients, bounds):
    """The shortest of the vectors that meet some bounds exactly and the others at least."""
    count = len(gradients)
    best = None
    for support in chain.from_iterable(combinations(range(count), n) for n in range(count + 1)):
        rows, wanted = gradients[list(support)], bounds[list(support)]
        vector = np.linalg.pinv(rows) @ wanted if support else np.zeros(gradients.shape[1])
        if np.all(gradients @ vector >= bounds - 1e-9 * np.abs(bounds).max()):
            best = vector if best is None or vector @ vector < best @ best else best
    return best


def problems(count, seed=0):
    rng = np.random.default_rng([seed, count])
    for dimension in (count + 2, count, max(1, count // 2)):
        for _ in range(12):
            scales = np.exp(rng.uniform(-2, 2, (count, 1)))
            yield rng.standard_normal((count, dimension)) * scales, rng.standard_normal(count)


@pytest.mark.parametrize("count", COUNTS)
def test_the_vector_is_the_shortest_of_all_supports(count):
    outcomes = []
    for gradients, bounds in problems(count):
        weights, feasible = found(gradients, bounds)
        expected = shortest(gradients, bounds)
        outcomes.append(feasible)
        assert feasible == (expected is not None)
        if feasible:
            size = 1e-9 * max(1e-9, np.linalg.norm(expected))
            np.testing.assert_allclose(weights @ gradients, expected, rtol=0, atol=size)
        else:
            assert (weights == 0).all()
    assert any(outcomes)
    assert all(outcomes) == (count == 1)  # with more, some bounds contradict each other


@pytest.mark.parametrize("count", COUNTS)
def test_the_optimality_conditions_hold(count):
    for gradients, bounds in problems(count, seed=1):
        weights, feasible = found(gradients, bounds)
        if not feasible:
            continue
        vector = weights @ gradients
        slack = gradients @ vector - bounds
        unit = np.linalg.norm(gradients, axis=1) * (np.linalg.norm(vector) + 1e-9)
        assert (weights >= 0).all()
        assert (slack >= -1e-10 * unit).all()
        assert (np.abs(slack[weights > 0]) <= 1e-10 * unit[weights > 0]).all()


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_far_bounds_are_met_in_float32(scale):
    for gradients, bounds in problems(3, seed=2):
        expected = shortest(gradients, bounds)
        if len(gradients[0]) < 3:
            continue
        weights, feasible = found(gradients, scale * bounds, np.float32)
        assert feasible
        size = 1e-2 * scale * max(1e-6, np.linalg.norm(expected))
        np.testing.assert_allclose(weights @ gradients, scale * expected, rtol=0, atol=size)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_opposed_gradients_contradict_each_other_only_for_positive_sums(dtype):
    gradients = np.array([[1.0, 2.0], [-2.0, -4.0]])
    assert found(gradients, [1.0, -1.0], dtype)[1] is False  # x >= 1 and x <= 1/2
    assert found(gradients, [1.0, -2.5], dtype)[1] is True
    weights, feasible = found(gradients, [-1.0, -1.0], dtype)
    assert feasible
    assert (weights == 0).all()


def test_a_zero_gradient_meets_no_positive_bound():
    gradients = np.array([[1.0, 0.0], [0.0, 0.0]])
    weights, feasible = found(gradients, [2.0, 0.0])
    assert feasible
    np.testing.assert_allclose(weights, [2.0, 0.0], rtol=1e-12)
    assert found(gradients, [2.0, -1.0])[1]
    assert not found(gradients, [2.0, 1e-30])[1]


def test_what_is_not_finite_shows():
    for bad in (np.nan, np.inf):
        gramian = np.eye(3, dtype=np.float32)
        gramian[0, 0] = bad
        assert np.isnan(solve(gramian, np.ones(3, np.float32))[0]).all()
        bounds = np.array([1, bad, 0], np.float32)
        assert np.isnan(solve(np.eye(3, dtype=np.float32), bounds)[0]).all()


def test_vmap_and_gradient():
    with jax.enable_x64(True):
        gradients = np.random.default_rng(3).standard_normal((4, 3, 6))
        bounds = np.full((4, 3), 0.5)
        gramians = gradients @ gradients.swapaxes(1, 2)
        together = jax.vmap(least_distance_weights)(gramians, bounds)[0]
        alone = [least_distance_weights(m, b)[0] for m, b in zip(gramians, bounds, strict=True)]
        np.testing.assert_allclose(together, np.stack(alone), rtol=1e-12)

        def weight(bound):
            return least_distance_weights(jnp.asarray(gramians[0]), bound)[0].sum()

        slope = jax.grad(weight)(jnp.asarray(bounds[0]))
        step = 1e-6 * np.eye(3)
        expected = [(weight(bounds[0] + e) - weight(bounds[0] - e)) / 2e-6 for e in step]
        np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-8)


def test_a_gramian_that_is_not_square_is_an_error():
    with pytest.raises(ValueError, match="square"):
        least_distance_weights(jnp.ones((2, 3)), jnp.ones(2))
