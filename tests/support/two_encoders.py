"""A step of MMPareto on two encoders, one in agreement and one in conflict, known by hand."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

import mmpareto_jax as mmp

ENCODERS = {
    "audio": mmp.Encoder(params="audio", objectives=("joint", "audio")),
    "visual": mmp.Encoder(params="visual", objectives=("joint", "visual")),
}
# The gradients of `audio` agree, those of `visual` conflict; `head` is in no encoder.
PARAMS = {"audio": np.zeros(2, "f"), "visual": np.zeros(2, "f"), "head": np.zeros(3, "f")}
GRADS = {
    "audio": np.array([[1.0, 2.0], [3.0, 0.5]], "f"),
    "visual": np.array([[1.0, 0.0], [-1.0, 1.0]], "f"),
    "head": np.array([1.0, -2.0, 3.0], "f"),
}


def combined(gamma=1.5):
    """What MMPareto makes of `GRADS`.

    audio: no conflict, gamma (4, 2.5). visual: 2 alpha = (1.2, 0.8), so h' = (0.4, 0.8) of norm
    sqrt(0.8), while the sum is (0, 1) of norm one: gamma (0.4, 0.8) / sqrt(0.8).
    """
    return {
        "audio": gamma * np.array([4.0, 2.5]),
        "visual": gamma * np.array([0.4, 0.8]) / np.sqrt(0.8),
        "head": np.array([1.0, -2.0, 3.0]),
    }


def scaled(tree, factor):
    return jax.tree.map(lambda leaf: factor * leaf, tree)


def close(actual, expected, rtol=1e-6):
    actual = jax.tree.map(np.asarray, actual)
    expected = jax.tree.map(lambda e, a: np.asarray(e, a.dtype), expected, actual)
    chex.assert_trees_all_close(actual, expected, rtol=rtol, atol=rtol)


def in_dtype(tree, dtype):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)


def run(tx, *stream, params=PARAMS):
    """The updates of each step on a stream of gradients, and the last state."""
    update, state, updates = jax.jit(tx.update), tx.init(params), []
    for grads in stream:
        update_now, state = update(grads, state, params)
        updates.append(update_now)
    return updates, state
