"""What a weighting of the user is given, and what becomes of its state."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from two_encoders import ENCODERS, GRADS, PARAMS, close, scaled

import mmpareto_jax as mmp


def emphasize_largest_loss():
    """A user's weighting: all weight on the objective with the largest loss, and a counter."""

    def init(num_objectives):
        return jnp.zeros(num_objectives, jnp.int32)

    def update(gramian, counts, *, losses, **extra):
        chosen = (losses == jnp.max(losses)).astype(gramian.dtype)
        return chosen, counts + chosen.astype(counts.dtype)

    return mmp.Weighting(init, update)


def test_a_users_weighting_gets_the_losses_and_keeps_its_state():
    tx = optax.chain(mmp.aggregate(emphasize_largest_loss(), ENCODERS), optax.sgd(1.0))
    state = tx.init(PARAMS)
    for joint, row in ((2.0, 0), (0.5, 1), (3.0, 0)):
        losses = {
            "visual": jnp.asarray(1.0),
            "audio": jnp.asarray(9.0),
            "joint": jnp.asarray(joint),
        }
        updates, state = tx.update(GRADS, state, PARAMS, losses=losses)
        close(updates["visual"], -GRADS["visual"][row])
    counts = state[0].partition.inner_states["visual"].inner_state.weighting
    assert counts.tolist() == [2, 1]


def test_losses_without_encoders_are_an_array_in_the_order_of_the_rows():
    tx = mmp.aggregate(emphasize_largest_loss())
    params, grads = {"visual": PARAMS["visual"]}, {"visual": GRADS["visual"]}
    updates, _ = tx.update(grads, tx.init(params), params, losses=jnp.array([1.0, 2.0]))
    close(updates["visual"], GRADS["visual"][1])


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({"joint": 1.0, "audio": 1.0}, "losses has no 'visual'.* it has joint, audio"),
        (np.ones(3, "f"), r"an array of shape \(2,\), got shape \(3,\)"),
        ({"joint": np.ones(2, "f"), "audio": np.ones(2, "f")}, r"'joint'\] must be a real scalar"),
    ],
)
def test_losses_that_do_not_fit_the_objectives_are_named(losses, message):
    tx = mmp.aggregate(emphasize_largest_loss(), ENCODERS)
    with pytest.raises(ValueError, match=message):
        tx.update(GRADS, tx.init(PARAMS), PARAMS, losses=losses)


@pytest.mark.parametrize("bad", ["gradient", "loss"])
def test_a_bad_step_leaves_the_state_of_the_weighting_alone(bad):
    tx = mmp.aggregate(emphasize_largest_loss(), ENCODERS)
    state = tx.init(PARAMS)
    nan = jnp.asarray(np.nan)
    losses = {name: nan if bad == "loss" else jnp.ones(()) for name in ("joint", "audio", "visual")}
    grads = scaled(GRADS, nan) if bad == "gradient" else GRADS
    _, state = tx.update(grads, state, PARAMS, losses=losses)
    for encoder in ENCODERS:
        counts = state.partition.inner_states[encoder].inner_state.weighting
        assert counts.tolist() == [0, 0]


def test_a_state_can_be_donated_whatever_the_weighting():
    def init(num_objectives):
        zeros = jnp.zeros(num_objectives)
        return {"one": zeros, "other": zeros}  # one buffer, twice

    weighting = mmp.Weighting(
        init=init, update=lambda gramian, state, **extra: (jnp.ones(len(gramian)), state)
    )
    tx = mmp.aggregate(weighting)
    step = jax.jit(lambda state, grads: tx.update(grads, state), donate_argnums=0)
    updates, _ = step(tx.init(jnp.zeros(3)), jnp.ones((2, 3)))
    np.testing.assert_array_equal(updates, 2)
