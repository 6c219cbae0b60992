"""Losses at the ends of the range, and what is lost where only a Gramian in float32 is at hand.

A Gramian has the square of the condition number of the gradients: an error of `eps` in its entries
is one of `eps condition^2` in what a solve makes of it. A plain computation in float32 from the
same Gramian is the measure here, with the exact solution for the gradients in float64.
"""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rivals_reference as reference
from compiling import quick_jit
from reference import min_norm_brute_force

import mmpareto_jax as mmp

EPS = np.finfo(np.float32).eps
COUNTS = (2, 4, 8)
CASES = 60
conditions = pytest.mark.parametrize("condition", [1, 6, 36, 200, 1000])


# ---------------------------------------------------------------- ill-conditioned Gramians


def ill_conditioned(rng, count, condition):
    """Gradients `[K, 64]` whose matrix has this condition number, in float32."""
    rows = np.linalg.qr(rng.standard_normal((count, count)))[0]
    columns = np.linalg.qr(rng.standard_normal((64, count)))[0]
    return ((rows * np.geomspace(1, 1 / condition, count)) @ columns.T).astype(np.float32)


@cache
def program(name):
    weighting = getattr(mmp.weightings, name)()
    return quick_jit(jax.vmap(lambda m: weighting.update(m, weighting.init(len(m)))[0]))


def plain_config(gramian):
    norms = np.sqrt(np.diag(gramian))
    solution = np.linalg.solve(gramian / norms[:, None] / norms, np.ones_like(norms))
    return solution / norms * (norms.sum() / solution.sum())


def plain_imtl_g(gramian):
    solution = np.linalg.solve(gramian, np.sqrt(np.diag(gramian)))
    return solution / solution.sum()


def canceled(gradients):
    """By how much the sum of the weights of IMTL-G is smaller than its terms."""
    weights = reference.imtl_g(gradients)
    return np.abs(weights).sum()


METHODS = {
    "config": (plain_config, reference.config, lambda gradients: 1.0),
    "imtl_g": (plain_imtl_g, lambda g: reference.imtl_g(g) @ g, canceled),
}


@conditions
@pytest.mark.parametrize("name", METHODS)
def test_an_ill_conditioned_gramian_costs_what_it_costs_a_plain_computation(name, condition):
    plain, exact, amplification = METHODS[name]
    rng = np.random.default_rng(condition)
    ours, plains = [], []
    for count in COUNTS:
        given = [ill_conditioned(rng, count, condition) for _ in range(CASES)]
        gramians = np.stack([g @ g.T for g in given])
        assert gramians.dtype == np.float32
        for gradients, gramian, weights in zip(
            given, gramians, np.asarray(program(name)(gramians)), strict=True
        ):
            gradients = gradients.astype(float)
            expected = exact(gradients)
            unit = np.linalg.norm(expected) * amplification(gradients)
            errors = [
                np.linalg.norm(w.astype(float) @ gradients - expected) / unit
                for w in (weights, plain(gramian))
            ]
            assert errors[0] <= 8 * EPS * condition**2
            ours.append(errors[0])
            plains.append(errors[1])
    assert np.median(ours) <= 1.5 * np.median(plains)


def test_imtl_g_bears_gradients_of_unlike_norms():
    rng = np.random.default_rng(4)
    for count in COUNTS:
        norms = np.exp(rng.uniform(-7, 7, (CASES, count, 1)))
        gradients = (rng.standard_normal((CASES, count, 20)) + 0.5) * norms
        gramians = (gradients @ gradients.swapaxes(1, 2)).astype(np.float32)
        found = np.asarray(program("imtl_g")(gramians), float)
        for rows, weights in zip(gradients, found, strict=True):
            expected = reference.imtl_g(rows) @ rows
            error = np.linalg.norm(weights @ rows - expected)
            assert error <= 1e-4 * canceled(rows) * np.linalg.norm(expected)


def imtl_g_direction(gradients):
    with jax.enable_x64(True):
        weights, _ = mmp.weightings.imtl_g().update(jnp.asarray(gradients @ gradients.T), ())
    direction = np.asarray(weights) @ gradients
    return direction / np.linalg.norm(direction)


def test_the_scale_of_one_gradient_may_turn_imtl_g_round():
    """It is divided by the sum of its weights, which another scale can make negative."""
    gradients = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [2.0, 2.0, 1.0]])
    shorter = gradients * [[1], [1], [0.1]]
    even = np.linalg.solve(gradients / np.linalg.norm(gradients, axis=1)[:, None], np.ones(3))
    even /= np.linalg.norm(even)
    np.testing.assert_allclose(np.abs(imtl_g_direction(gradients) @ even), 1, rtol=1e-12)
    np.testing.assert_allclose(
        imtl_g_direction(shorter), -imtl_g_direction(gradients), rtol=0, atol=1e-12
    )
    assert np.all(shorter @ imtl_g_direction(shorter) < 0)


def test_the_scale_of_one_of_dependent_gradients_turns_imtl_g():
    gradients = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    scaled = gradients * [[10], [1], [1]]
    for rows in (gradients, scaled):
        expected = reference.imtl_g(rows) @ rows
        np.testing.assert_allclose(
            imtl_g_direction(rows), expected / np.linalg.norm(expected), atol=1e-9
        )
    assert imtl_g_direction(gradients) @ imtl_g_direction(scaled) < 0.99


@pytest.mark.parametrize("angle", [1e-1, 1e-2, 1e-3])
def test_two_nearly_parallel_gradients_have_the_exact_weights_of_their_gramian(angle):
    """Differences of nearby entries are exact, so nothing is lost but what the Gramian lost."""
    rng = np.random.default_rng(5)
    middle, half = rng.standard_normal((2, 200, 64))
    middle /= np.linalg.norm(middle, axis=1, keepdims=True)
    half -= np.sum(half * middle, axis=1, keepdims=True) * middle
    half *= angle / 2 / np.linalg.norm(half, axis=1, keepdims=True)
    half += rng.uniform(-1, 1, (200, 1)) * angle**2 / 4 * middle  # so that 0 < w < 1 in most
    pairs = np.stack([middle - half, middle + half], axis=1).astype(np.float32)
    gramians = np.stack([pair @ pair.T for pair in pairs])
    expected = np.stack([2 * min_norm_brute_force(gramian) for gramian in gramians])
    np.testing.assert_allclose(program("min_norm")(gramians), expected, rtol=4 * EPS, atol=4 * EPS)
    assert np.mean((expected > 0.1).all(axis=1)) > 0.2  # not at the ends of the segment alone


def test_three_nearly_parallel_gradients_lose_no_more_than_their_gramian_did():
    rng = np.random.default_rng(6)
    angle = 1e-2
    stacks = rng.standard_normal((100, 1, 64)) + angle * rng.standard_normal((100, 3, 64))
    gramians = np.stack([g @ g.T for g in stacks.astype(np.float32)])
    for gradients, gramian, weights in zip(
        stacks, gramians, np.asarray(program("min_norm")(gramians), float) / 3, strict=True
    ):
        expected = min_norm_brute_force(gramian) @ gradients
        error = np.linalg.norm(weights @ gradients - expected) / np.linalg.norm(expected)
        assert error <= 4 * EPS / angle


# ---------------------------------------------------------------- losses


def runner(name, **options):
    """`(losses [T, K]) -> weights [T, K]` through an aggregator, in float32."""
    tx = mmp.aggregate(getattr(mmp.weightings, name)(**options), num_objectives=2)
    gradients = jnp.eye(2)

    @quick_jit
    def run(losses):
        def step(state, values):
            update, state = tx.update(gradients, state, losses=values)
            return state, update

        return jax.lax.scan(step, tx.init(jnp.zeros(2)), losses)[1]

    return lambda losses: np.asarray(run(jnp.asarray(losses, jnp.float32)), float)


@cache
def run_of(name):
    return runner(name)


FAR = (1e30, 1e-30, 1.0, 3e38)
PAIRS = [(a, b) for a in FAR for b in FAR]


def test_geometric_mean_of_any_positive_losses():
    found = run_of("geometric_mean")(PAIRS)
    expected = np.stack([np.sqrt(a) * np.sqrt(b) / (2 * np.array([a, b])) for a, b in PAIRS])
    inside = expected < 1e38
    assert np.isfinite(found[inside]).all()
    np.testing.assert_allclose(found[inside], expected[inside], rtol=1e-4)
    assert not np.isfinite(found[~inside]).any()


@pytest.mark.parametrize("bad", [-0.1, 0.0, -1e30, np.inf, np.nan])
def test_geometric_mean_of_other_losses_is_not_finite(bad):
    """Finite weights would pass `apply_if_finite`; the smallest number for -0.1 gave 6e18."""
    assert np.isnan(run_of("geometric_mean")([[2.0, bad]])).all()


@pytest.mark.parametrize("mu", [1e-38, 1e-10, 1.0, 1e10])
def test_stch_of_any_losses(mu):
    pairs = [*PAIRS, (0.0, 0.0), (-1e30, 1e30), (-5.0, 1e-30), (0.0, -3e38)]
    expected = np.stack([reference.softmax(np.array(pair) / 2 / mu) / 2 for pair in pairs])
    np.testing.assert_allclose(runner("stch", mu=mu)(pairs), expected, rtol=1e-5, atol=1e-30)


def test_stch_far_from_its_ideal_point():
    weighting = mmp.weightings.stch(mu=0.1, ideal=[3e38, -3e38])
    losses = jnp.array([3e38, 3e38], jnp.float32)
    weights, _ = weighting.update(jnp.eye(2, dtype=jnp.float32), (), losses=losses)
    np.testing.assert_array_equal(weights, [0, 0.5])


@pytest.mark.parametrize("name", ["dwa", "famo", "gradnorm"])
def test_far_losses_pass_and_leave_a_state_that_works(name):
    far = [[a, b] for pair in PAIRS for a, b in (pair, pair[::-1])]
    assert np.isfinite(run_of(name)([[1.0, 2.0], *far, *[[1.0, 2.0]] * 3])).all()


@pytest.mark.parametrize("name", ["dwa", "famo", "gradnorm", "uncertainty", "stch"])
@pytest.mark.parametrize("bad", [np.inf, -np.inf, np.nan])
def test_a_loss_that_is_not_finite_is_forgotten(name, bad):
    good = [[1.0, 2.0], [0.9, 1.5], [0.8, 1.4]]
    expected = run_of(name)(good)
    found = run_of(name)([good[0], good[1], [1.0, bad], good[2]])
    np.testing.assert_array_equal(found[[0, 1, 3]], expected)


def test_famo_forgets_a_negative_loss_and_gives_all_weight_to_one_of_zero():
    good = [[1.0, 2.0], [0.9, 1.5], [0.8, 1.4]]
    expected = run_of("famo")(good)
    found = run_of("famo")([good[0], good[1], [1.0, -0.5], good[2]])
    np.testing.assert_array_equal(found[[0, 1, 3]], expected)
    assert np.isnan(found[2]).all()
    np.testing.assert_allclose(run_of("famo")([[1.0, 0.0]]), [[0.0, 1.0]], atol=1e-30)


def test_dwa_weighs_a_loss_that_exploded_by_all():
    found = run_of("dwa")([[1e-30, 1.0], [1e30, 1.0], [1.0, 1.0]])
    np.testing.assert_allclose(found[-1], [2.0, 0.0])


def test_gradnorm_follows_the_reference_from_far_losses():
    steps = [(np.eye(2), np.array(losses)) for losses in ([1e-30, 1.0], [1e30, 1.0], [1.0, 1.0])]
    found = run_of("gradnorm")(np.stack([losses for _, losses in steps]))
    np.testing.assert_allclose(found, reference.gradnorm(steps, 1.5, 0.025), rtol=1e-5)
