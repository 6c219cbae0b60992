"""The functions from a weighting to a weighting, alone and nested."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gramians import gramian_of
from stepping import close, in_float64, random_steps, run

import mmpareto_jax as mmp

W = mmp.weightings
SEQUENCES = Path(__file__).parents[2] / "golden" / "sequences.npz"
MAKE = {
    "ema": W.ema,
    "every": lambda weighting: W.every(weighting, 3),
    "normalized": W.normalized,
    "rescale": W.rescale,
}
combinators = pytest.mark.parametrize("name", W.COMBINATORS)


def test_every_combinator_is_tested():
    assert set(MAKE) == set(W.COMBINATORS)


def gramians(count=3, length=10, seed=0):
    return gramian_of(np.stack([g for g, _ in random_steps(count, length, seed)]))


@pytest.mark.parametrize(
    ("method", "weighting"),
    [
        ("ema_0.9_aligned_mtl", W.ema(W.aligned_mtl(), 0.9)),
        ("ema_0.5_imtl_g", W.ema(W.imtl_g(), 0.5)),
    ],
)
def test_ema_golden_sequences(method, weighting):
    with np.load(SEQUENCES) as archive:
        for number in range(20):
            jacobians, expected = archive[f"q{number}/jacobians"], archive[f"q{number}/{method}"]
            found = run(weighting, gramian_of(jacobians))
            size = 1e-6 * np.abs(np.einsum("tk,tkp->tp", expected, jacobians)).max()
            updates = np.einsum("tk,tkp->tp", found - expected, jacobians)
            np.testing.assert_allclose(updates, 0, atol=size)


@pytest.mark.parametrize("decay", [0.0, 0.7, 1.0])
def test_ema_is_the_running_mean_that_starts_at_the_first_weights(decay):
    steps = random_steps(3)
    alone = in_float64(W.min_norm(), steps)
    expected = [alone[0]]
    for now in alone[1:]:
        expected.append(decay * expected[-1] + (1 - decay) * now)
    close(in_float64(W.ema(W.min_norm(), decay), steps), np.stack(expected))


@pytest.mark.parametrize("period", [1, 3])
def test_every_keeps_the_weights_in_between(period):
    steps = random_steps(3)
    alone = in_float64(W.min_norm(), steps[::period])
    found = in_float64(W.every(W.min_norm(), period), steps)
    close(found, np.repeat(alone, period, axis=0)[: len(steps)])


def test_every_skips_the_state_of_the_weighting_too():
    steps = random_steps(3)
    alone = in_float64(W.famo(), steps[::4])
    close(in_float64(W.every(W.famo(), 4), steps), np.repeat(alone, 4, axis=0)[: len(steps)])


def test_normalized_solves_for_unit_gradients():
    for gradients, _ in random_steps(4, length=6, seed=1):
        norms = np.linalg.norm(gradients, axis=1)
        alone = run(W.min_norm(), gramian_of((gradients / norms[:, None])[None]))[0]
        close(run(W.normalized(W.min_norm()), gramian_of(gradients[None]))[0], alone / norms)


def test_normalized_leaves_a_zero_gradient():
    weights = run(W.normalized(W.min_norm()), np.diag([4.0, 0.0])[None])[0]
    assert np.isfinite(weights).all()


@pytest.mark.parametrize("to", ["sum", "mean"])
@pytest.mark.parametrize("name", ["min_norm", "pcgrad", "upgrad", "imtl_g", "nash_mtl"])
def test_rescale_changes_the_length_alone(name, to):
    inner = getattr(W, name)()
    for gradients, _ in random_steps(4, length=6, seed=2):
        alone = run(inner, gramian_of(gradients[None]))[0] @ gradients
        found = run(W.rescale(inner, to, gamma=1.7), gramian_of(gradients[None]))[0] @ gradients
        reference = gradients.sum(axis=0) / (1 if to == "sum" else len(gradients))
        length = 1.7 * np.linalg.norm(reference)
        close(found, alone / np.linalg.norm(alone) * length)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rescaled_min_norm_is_mmpareto_at_a_conflict(dtype):
    seen = 0
    for count in (2, 3, 5):
        for gradients, _ in random_steps(count, length=12, seed=3):
            gramian = gramian_of(gradients[None], dtype)
            if gramian.min() < 0:
                seen += 1
                found = run(W.rescale(W.min_norm(), gamma=1.5), gramian)
                close(
                    found,
                    run(W.mmpareto(gamma=1.5), gramian),
                    1e-12 if dtype is np.float64 else 2e-5,
                )
    assert seen > 10


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rescale_is_zero_where_the_direction_is(dtype):
    opposite = gramian_of(np.array([[[1.0, 2.0], [-2.0, -4.0]]]), dtype)
    assert (run(W.rescale(W.min_norm()), opposite) == 0).all()
    assert (run(W.rescale(W.min_norm()), np.zeros((1, 2, 2), dtype)) == 0).all()


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_rescale_stays_in_the_range_of_float32(scale):
    gramian = np.array([[[1.0, -0.5], [-0.5, 2.0]]], np.float32)
    expected = run(W.rescale(W.min_norm()), gramian)
    found = run(W.rescale(W.min_norm()), (scale**2 * gramian).astype(np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    huge = run(W.rescale(W.uniform(1e30)), gramian)
    np.testing.assert_allclose(huge, [[1.0, 1.0]], rtol=1e-5)


@combinators
def test_what_is_not_finite_shows_and_is_forgotten(name):
    params = {"net": jnp.zeros(2)}
    tx = mmp.aggregate(MAKE[name](W.min_norm()), num_objectives=2)
    good = {"net": jnp.array([[1.0, 0.0], [-0.5, 1.0]])}
    update = jax.jit(tx.update)
    updates, state = update({"net": good["net"].at[0, 0].set(jnp.nan)}, tx.init(params), params)
    assert not np.isfinite(updates["net"]).all()
    first, _ = update(good, tx.init(params), params)
    np.testing.assert_array_equal(update(good, state, params)[0]["net"], first["net"])


NESTED = W.ema(W.rescale(W.every(W.normalized(W.pcgrad()), 2), gamma=1.5), 0.5)


def test_nested_combinators_run_under_jit_vmap_and_scan():
    given = gramians().astype(np.float32)
    scanned = run(NESTED, given)
    state = NESTED.init(3)
    alone = []
    for gramian in given:
        weights, state = jax.jit(NESTED.update)(gramian, state)
        alone.append(weights)
    np.testing.assert_allclose(scanned, np.stack(alone), rtol=1e-5, atol=1e-6)
    both = jax.vmap(lambda gramian: NESTED.update(gramian, NESTED.init(3))[0])(given)
    single = [NESTED.update(gramian, NESTED.init(3))[0] for gramian in given]
    np.testing.assert_allclose(both, np.stack(single), rtol=1e-5, atol=1e-6)


def test_losses_reach_the_inner_weighting():
    for name, make in MAKE.items():
        weighting = make(W.geometric_mean())
        with pytest.raises(ValueError, match="geometric_mean needs the losses"):
            weighting.update(jnp.eye(2), weighting.init(2))
        weights, _ = weighting.update(jnp.eye(2), weighting.init(2), losses=jnp.array([1.0, 4.0]))
        np.testing.assert_allclose(weights[0] / weights[1], 4.0, rtol=1e-5, err_msg=name)


@combinators
def test_a_factory_that_is_not_called_is_an_error(name):
    with pytest.raises(ValueError, match=r"got function: call it, min_norm\(\)"):
        MAKE[name](W.min_norm)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: W.ema(W.mean(), 1.1), r"decay must be in \[0, 1\], got 1\.1"),
        (lambda: W.every(W.mean(), 0), "steps must be at least 1, got 0"),
        (lambda: W.rescale(W.mean(), "max"), "to must be 'sum' or 'mean', got 'max'"),
        (lambda: W.rescale(W.mean(), gamma=0), "gamma must be positive and finite, got 0"),
    ],
)
def test_numbers_out_of_range_are_errors(make, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        make()
