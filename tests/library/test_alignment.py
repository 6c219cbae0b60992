"""`update_alignment`: what is left of a decision after the optimizer."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compiling import quick_jit
from two_encoders import ENCODERS, GRADS, PARAMS

import mmpareto_jax as mmp

UPDATES = {
    "audio": np.array([-0.1, 0.3], "f"),
    "visual": np.array([0.2, -0.4], "f"),
    "head": np.ones(3, "f"),
}


def expected(grads, updates):
    """Cosines and changes of one encoder, from flat float64 vectors."""
    grads, updates = np.asarray(grads, np.float64), np.asarray(updates, np.float64)
    change = grads @ updates
    return -change / np.linalg.norm(grads, axis=1) / np.linalg.norm(updates), change


def test_both_encoders():
    found = mmp.update_alignment(GRADS, UPDATES, ENCODERS)
    assert set(found) == {"audio", "visual"}
    for name, alignment in found.items():
        cosine, change = expected(GRADS[name], UPDATES[name])
        np.testing.assert_allclose(alignment.cosine, cosine, rtol=1e-6)
        np.testing.assert_allclose(alignment.change, change, rtol=1e-6)


def test_all_tensors_of_an_encoder_count_together():
    rng = np.random.default_rng(0)
    encoders = {"net": mmp.Encoder("net", ("a", "b", "c"))}
    shapes = {"w": (4, 3), "b": (3,), "s": ()}
    grads = {"net": {k: rng.standard_normal((3, *s)) for k, s in shapes.items()}}
    updates = {"net": {k: rng.standard_normal(s) for k, s in shapes.items()}}
    with jax.enable_x64(True):
        found = mmp.update_alignment(grads, updates, encoders)["net"]
    flat = np.concatenate([grads["net"][k].reshape(3, -1) for k in shapes], axis=1)
    cosine, change = expected(flat, np.concatenate([updates["net"][k].ravel() for k in shapes]))
    np.testing.assert_allclose(found.cosine, cosine, rtol=1e-12)
    np.testing.assert_allclose(found.change, change, rtol=1e-12)


def test_complex_parameters_count_as_two_real_ones():
    encoders = {"net": mmp.Encoder("net", ("a", "b"))}
    grads = np.array([[1 + 2j, 3j], [2 - 1j, -1]], np.complex64)
    updates = np.array([1 - 1j, 0.5j], np.complex64)
    found = mmp.update_alignment({"net": grads}, {"net": updates}, encoders)["net"]
    cosine, change = expected(
        np.concatenate([grads.real, grads.imag], axis=1),
        np.concatenate([updates.real, updates.imag]),
    )
    np.testing.assert_allclose(found.cosine, cosine, rtol=1e-6)
    np.testing.assert_allclose(found.change, change, rtol=1e-6)


def test_half_precision_is_summed_in_float32():
    grads = {"net": jnp.ones((2, 4096), jnp.bfloat16)}
    updates = {"net": jnp.full(4096, -1.0, jnp.float16)}
    encoders = {"net": mmp.Encoder("net", ("a", "b"))}
    found = mmp.update_alignment(grads, updates, encoders)["net"]
    np.testing.assert_array_equal(found.change, [-4096, -4096])
    np.testing.assert_allclose(found.cosine, [1, 1], rtol=1e-6)
    assert found.cosine.dtype == jnp.float32


def test_nothing_to_compare_has_cosine_zero():
    encoders = {"net": mmp.Encoder("net", ("a", "b"))}
    grads = {"net": jnp.array([[0.0, 0.0], [1.0, 0.0]])}
    found = mmp.update_alignment(grads, {"net": jnp.array([-1.0, 0.0])}, encoders)["net"]
    np.testing.assert_array_equal(found.cosine, [0, 1])
    still = mmp.update_alignment(grads, {"net": jnp.zeros(2)}, encoders)["net"]
    np.testing.assert_array_equal(still.cosine, [0, 0])


def losses(params):
    audio, visual = params["audio"], params["visual"]
    bend = jnp.sin(params["head"]).sum()
    return {
        "joint": jnp.sum((audio * visual - 0.3) ** 2) + bend,
        "audio": jnp.sum((audio - 1) ** 4),
        "visual": jnp.sum(jnp.cos(2 * visual + 0.5)),
    }


START = {"audio": np.array([0.5, -0.3]), "visual": np.array([0.8, 0.4]), "head": np.ones(3)}


def test_the_change_is_the_slope_of_the_loss():
    with jax.enable_x64(True):
        _, grads = mmp.value_and_objective_grads(losses, ENCODERS)(START)
        updates = {"audio": np.array([0.2, -1.0]), "visual": np.zeros(2), "head": np.zeros(3)}
        change = mmp.update_alignment(grads, updates, ENCODERS)["audio"].change
        step = 1e-6

        def moved(sign):
            return losses(jax.tree.map(lambda p, u: p + sign * step * u, START, updates))

        slopes = [(moved(1)[k] - moved(-1)[k]) / (2 * step) for k in ("joint", "audio")]
        np.testing.assert_allclose(change, slopes, rtol=1e-8)


def trained(aggregator, optimizer, steps=50):
    """The parameters and the alignments after some steps, in float64."""
    # Adam's bias correction promotes dtypes.
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        tx = optax.chain(aggregator, optimizer)
        params = jax.tree.map(jnp.asarray, START)

        def step(carry, _):
            params, state = carry
            _, grads = mmp.value_and_objective_grads(losses, ENCODERS)(params)
            updates, state = tx.update(grads, state, params)
            seen = mmp.update_alignment(grads, updates, ENCODERS)
            return (optax.apply_updates(params, updates), state), seen

        run = quick_jit(lambda start: jax.lax.scan(step, start, length=steps))
        (params, _), seen = run((params, tx.init(params)))
        return jax.tree.map(np.asarray, (params, seen))


def test_adam_undoes_a_factor_but_not_a_direction():
    """Uniform x gamma is the uniform baseline under Adam; MMPareto is something else."""
    adam = optax.adam(1e-2, eps=0.0)
    uniform, scaled, mmpareto = (
        trained(aggregator, adam)
        for aggregator in (
            mmp.aggregate(mmp.weightings.uniform(), ENCODERS),
            mmp.aggregate(mmp.weightings.uniform(scale=1.5), ENCODERS),
            mmp.mmpareto(ENCODERS, gamma=1.5),
        )
    )
    for ours, theirs in zip(*map(jax.tree.leaves, (uniform, scaled)), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-12)
    differences = [
        np.abs(np.asarray(a.cosine) - np.asarray(b.cosine)).max()
        for a, b in zip(uniform[1].values(), mmpareto[1].values(), strict=True)
    ]
    assert max(differences) > 0.01


def test_sgd_keeps_the_factor():
    uniform, scaled = (
        trained(mmp.aggregate(mmp.weightings.uniform(scale), ENCODERS), optax.sgd(1e-3), steps=1)
        for scale in (1.0, 1.5)
    )
    for name in ENCODERS:
        np.testing.assert_allclose(scaled[1][name].cosine, uniform[1][name].cosine, rtol=1e-12)
        np.testing.assert_allclose(scaled[1][name].change, 1.5 * uniform[1][name].change, rtol=1e-9)


@pytest.mark.parametrize(
    ("grads", "updates", "message"),
    [
        (GRADS, {"audio": UPDATES["audio"]}, "the tree of gradients has 'head', which the tree of"),
        (GRADS | {"audio": np.ones((3, 2), "f")}, UPDATES, r"expected \(2, 2\), one row per"),
        (PARAMS, UPDATES, "encoder 'audio': the gradient of 'audio' has shape"),
        (GRADS | {"head": "x"}, UPDATES, "the gradient of 'head' is of type str"),
        (GRADS, UPDATES | {"head": "x"}, "the update of 'head' is of type str"),
    ],
)
def test_wrong_input_is_named(grads, updates, message):
    with pytest.raises(ValueError, match=message):
        mmp.update_alignment(grads, updates, ENCODERS)
