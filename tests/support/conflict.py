"""Two gradients in conflict, of Gramian (1, -1; -1, 4)."""

import jax.numpy as jnp
import numpy as np

import mmpareto_jax as mmp

GRAMIAN = np.array([[1.0, -1.0], [-1.0, 4.0]], np.float32)
PAIR = np.array([[1, 0], [-1, np.sqrt(3)]], np.float32)


def first_weights(weighting, gramian=GRAMIAN):
    """The weights of a first step."""
    weights, _ = weighting.update(gramian, weighting.init(len(gramian)))
    return np.asarray(weights)


def assert_aggregate_combines_by(weighting, weights):
    """Check the update of the pair through an aggregator of one encoder."""
    tx = mmp.aggregate(weighting, {"enc": mmp.Encoder(params="enc", objectives=("joint", "uni"))})
    params = {"enc": {"w": jnp.zeros(2)}}
    updates, _ = tx.update({"enc": {"w": jnp.asarray(PAIR)}}, tx.init(params), params)
    np.testing.assert_allclose(updates["enc"]["w"], weights @ PAIR, rtol=1e-6, atol=1e-6)
