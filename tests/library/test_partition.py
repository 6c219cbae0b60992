"""Each encoder is integrated by itself, as one vector, and other parameters pass."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gramians import dtypes
from pairs import ACCURACY, GAMMA, WIDE, controlled_pair, expected_pair, integrate_tree
from two_encoders import ENCODERS, GRADS, PARAMS, close, combined, run

import mmpareto_jax as mmp


def test_encoders_may_have_different_numbers_of_objectives():
    encoders = {
        "one": mmp.Encoder(params="audio", objectives=("joint",)),
        "two": mmp.Encoder(params="visual", objectives=("joint", "visual")),
        "four": mmp.Encoder(params="head", objectives=("joint", "audio", "visual", "depth")),
    }
    grads = {
        "audio": np.array([[1.0, 2.0]], "f"),
        "visual": GRADS["visual"],
        "head": np.array([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 3.0], [1, 1, 1]], "f"),
    }
    (updates,), _ = run(mmp.mmpareto(encoders), grads)
    expected = {
        "audio": 1.5 * np.array([1.0, 2.0]),
        "visual": combined()["visual"],
        "head": 1.5 * np.array([2.0, 3.0, 4.0]),
    }
    close(updates, expected)


def test_without_encoders_the_whole_tree_is_one():
    tx = mmp.mmpareto(num_objectives=3)
    grads = {"a": np.eye(3, dtype="f")[:, :2], "b": np.eye(3, dtype="f")[:, 2]}
    params = {"a": np.zeros(2, "f"), "b": np.float32(0)}
    (update,), state = run(tx, grads, params=params)
    close(update, {"a": np.full(2, 1.5), "b": np.array(1.5)})
    assert list(jax.eval_shape(mmp.diagnostics, state)) == ["all"]


def test_no_encoder_at_all_changes_nothing():
    (updates,), _ = run(mmp.mmpareto({}), PARAMS)
    chex.assert_trees_all_equal(updates, PARAMS)


def test_params_may_be_absent_from_update():
    tx = mmp.mmpareto(ENCODERS)
    close(tx.update(GRADS, tx.init(PARAMS))[0], combined())


# ---------------------------------------------------------------- one Gramian for all its tensors


def test_an_encoder_of_several_tensors_has_one_gramian():
    split = {"visual": {"x": GRADS["visual"][:, 0], "y": GRADS["visual"][:, 1:]}}
    params = {"visual": {"x": np.float32(0), "y": np.zeros(1, "f")}}
    (updates,), _ = run(mmp.mmpareto({"visual": ENCODERS["visual"]}), split, params=params)
    expected = combined()["visual"]
    close(updates, {"visual": {"x": expected[0], "y": expected[1:]}})


def split(gradients):
    """Gradients `[K, 32]` as a tree of unlike leaves."""
    count = len(gradients)
    return {
        "conv": {"kernel": gradients[:, :24].reshape(count, 2, 3, 4), "bias": gradients[:, 24:28]},
        "scale": gradients[:, 28],
        "dense": [gradients[:, 29:31].reshape(count, 1, 2), gradients[:, 31:]],
    }


@dtypes
def test_an_encoder_is_integrated_as_one_vector(dtype):
    rng = np.random.default_rng(7)
    for cosine in (-0.9, -0.5, -0.1, 0.1, 0.9):
        pair = controlled_pair(rng, 32, cosine, 3.0, dtype)
        updates, _ = integrate_tree(split(pair))
        expected = split(expected_pair(pair).update[None].astype(dtype))
        for found, wanted in zip(jax.tree.leaves(updates), jax.tree.leaves(expected), strict=True):
            assert found.shape == wanted.shape[1:]
            np.testing.assert_allclose(found, wanted[0], rtol=1e-4, atol=ACCURACY[dtype, WIDE])


@dtypes
def test_a_tree_without_named_encoders_is_one_encoder(dtype):
    tx = mmp.mmpareto(gamma=GAMMA)
    pair = controlled_pair(np.random.default_rng(8), 32, -0.5, 3.0, dtype)
    gradients = split(pair)
    with jax.enable_x64(dtype == "float64"):
        params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[1:], leaf.dtype), gradients)
        updates, _ = jax.jit(tx.update)(gradients, tx.init(params), params)
    expected, _ = integrate_tree(gradients)
    for found, wanted in zip(jax.tree.leaves(updates), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


# ---------------------------------------------------------------- gradients of other shapes


@pytest.mark.parametrize("with_params", [True, False])
def test_a_missing_objective_axis_is_named(with_params):
    tx = mmp.mmpareto(ENCODERS)
    grads = GRADS | {"visual": np.zeros(3, "f")}
    params = PARAMS | {"visual": np.zeros(3, "f")}
    message = r"encoder 'visual': the gradient of 'visual' has shape \(3,\), expected \(2, "
    with pytest.raises(ValueError, match=message):
        tx.update(grads, tx.init(params), params if with_params else None)


def test_a_missing_objective_axis_is_seen_where_the_first_axis_has_its_length():
    tx = mmp.mmpareto(ENCODERS)
    with pytest.raises(ValueError, match=r"'visual' has shape \(2,\), expected \(2, 2\)"):
        tx.update(GRADS | {"visual": np.zeros(2, "f")}, tx.init(PARAMS), PARAMS)


def test_a_scalar_gradient_is_named():
    tx, params = mmp.mmpareto(), {"net": {"w": jnp.zeros(())}}
    with pytest.raises(ValueError, match=r"'net/w' has shape \(\), expected \(2,"):
        tx.update(params, tx.init(params))
