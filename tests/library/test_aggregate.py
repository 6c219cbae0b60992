"""Aggregators in chains and wrappers of optax, and what bad gradients do there."""

from functools import cache

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from optax.experimental import aggregating
from two_encoders import ENCODERS, GRADS, PARAMS, close, combined, run, scaled

import mmpareto_jax as mmp


def test_each_encoder_is_combined_and_other_leaves_pass():
    (updates,), _ = run(mmp.mmpareto(ENCODERS), GRADS)
    close(updates, combined())
    chex.assert_trees_all_equal(updates["head"], GRADS["head"])


@pytest.mark.parametrize(
    "optimizer",
    [
        optax.sgd(0.1),
        optax.sgd(0.1, momentum=0.9, nesterov=True),
        optax.adam(1e-3),
        optax.adamw(1e-3, weight_decay=0.1),
        optax.inject_hyperparams(optax.sgd)(learning_rate=0.1),
        optax.MultiSteps(optax.sgd(0.1), every_k_schedule=2).gradient_transformation(),
        optax.apply_if_finite(optax.sgd(0.1), max_consecutive_errors=3),
    ],
    ids=["sgd", "momentum", "adam", "adamw", "inject_hyperparams", "MultiSteps", "apply_if_finite"],
)
@pytest.mark.usefixtures("optax_promotes")
def test_an_optimizer_after_the_aggregator_sees_the_combined_gradient(optimizer):
    tx = optax.chain(mmp.mmpareto(ENCODERS), optimizer)
    stream = [GRADS, scaled(GRADS, 2.0), GRADS]
    updates, _ = run(tx, *stream)
    expected, _ = run(optimizer, *(scaled(combined(), s) for s in (1.0, 2.0, 1.0)))
    for step in range(3):
        close(updates[step], expected[step], rtol=1e-5)


def test_process_of_optax_takes_the_aggregator():
    tx = aggregating.process(optax.scale(2.0), mmp.mmpareto(ENCODERS), optax.sgd(0.1))
    (updates,), state = run(tx, GRADS)
    assert isinstance(tx, aggregating.Aggregator)
    close(updates, scaled(combined(), -0.2))
    assert set(jax.eval_shape(mmp.diagnostics, state)) == set(ENCODERS)


@pytest.mark.parametrize(
    "tx",
    [
        mmp.mmpareto(ENCODERS),
        mmp.mmpareto(ENCODERS, rescale="leaf"),
        mmp.aggregate(mmp.weightings.uniform(), ENCODERS),
    ],
)
def test_every_factory_returns_an_aggregator(tx):
    assert isinstance(tx, aggregating.Aggregator)


def test_optax_finds_the_parameter_like_parts_of_the_state():
    tx = optax.chain(mmp.mmpareto(ENCODERS), optax.sgd(0.1, momentum=0.9))
    marked = optax.tree_map_params(tx, lambda leaf: "param", tx.init(PARAMS))
    assert jax.tree.leaves(marked).count("param") == len(PARAMS)


# ---------------------------------------------------------------- gamma


@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
def test_a_schedule_gives_gamma_at_each_step(rescale):
    # One tensor per encoder: both rules are the same.
    schedule = optax.linear_schedule(1.0, 2.0, transition_steps=4)
    updates, _ = run(mmp.mmpareto(ENCODERS, gamma=schedule, rescale=rescale), *[GRADS] * 6)
    for update, gamma in zip(updates, [1.0, 1.25, 1.5, 1.75, 2.0, 2.0], strict=True):
        close(update, combined(gamma))


def test_gamma_can_be_an_injected_hyper_parameter():
    tx = optax.inject_hyperparams(mmp.mmpareto)(encoders=ENCODERS, gamma=1.5)
    state, update = tx.init(PARAMS), jax.jit(tx.update)
    first, state = update(GRADS, state, PARAMS)
    state.hyperparams["gamma"] = jnp.asarray(3.0)
    second, _ = update(GRADS, state, PARAMS)
    close(first, combined(1.5))
    close(second, combined(3.0))


def test_an_injected_gamma_can_follow_a_schedule():
    schedule = optax.linear_schedule(1.0, 2.0, transition_steps=2)
    tx = optax.inject_hyperparams(mmp.mmpareto)(encoders=ENCODERS, gamma=schedule)
    updates, _ = run(tx, GRADS, GRADS, GRADS)
    for update, gamma in zip(updates, [1.0, 1.5, 2.0], strict=True):
        close(update, combined(gamma))


def test_gamma_can_be_injected_without_encoders():
    inject = optax.inject_hyperparams(mmp.mmpareto, static_args="num_objectives")
    (update,), _ = run(inject(gamma=2.0), GRADS["visual"], params=PARAMS["visual"])
    close(update, combined(2.0)["visual"])


@pytest.mark.parametrize("gamma", [0, 0.0, -1.5, float("nan"), float("inf"), np.float32(-1.0)])
@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
def test_gamma_must_be_positive_and_finite(gamma, rescale):
    with pytest.raises(ValueError, match="gamma must be positive and finite"):
        mmp.mmpareto(ENCODERS, gamma=gamma, rescale=rescale)


def test_an_unknown_rescale_is_named():
    with pytest.raises(ValueError, match='"encoder" or "leaf", got \'tensor\''):
        mmp.mmpareto(ENCODERS, rescale="tensor")


# ---------------------------------------------------------------- bad gradients


@cache
def update_of_two_tensors(rescale):
    tx = mmp.mmpareto(ENCODERS, rescale=rescale)
    params = PARAMS | {"visual": {"x": np.zeros(2, "f"), "y": np.zeros(2, "f")}}
    return jax.jit(lambda grads: tx.update(grads, tx.init(params), params)[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("tensor", ["x", "y"])
def test_a_bad_gradient_spoils_its_whole_encoder_and_no_other(bad, rescale, row, tensor):
    visual = {"x": GRADS["audio"].copy(), "y": GRADS["audio"].copy()}
    visual[tensor][row, 0] = bad
    updates = update_of_two_tensors(rescale)(GRADS | {"visual": visual})
    close(updates["audio"], combined()["audio"])
    close(updates["head"], combined()["head"])
    assert not np.isfinite([updates["visual"]["x"], updates["visual"]["y"]]).any()


def test_a_step_after_a_bad_gradient_is_sound():
    bad = GRADS | {"visual": np.full((2, 2), np.nan, "f")}
    (_, after), _ = run(mmp.mmpareto(ENCODERS), bad, GRADS)
    close(after, combined())


def test_apply_if_finite_skips_a_bad_step():
    tx = optax.chain(mmp.mmpareto(ENCODERS), optax.apply_if_finite(optax.sgd(1.0), 3))
    bad = GRADS | {"visual": np.full((2, 2), np.inf, "f")}
    (skipped, after), state = run(tx, bad, GRADS)
    chex.assert_trees_all_equal(skipped, jax.tree.map(jnp.zeros_like, PARAMS))
    close(after, scaled(combined(), -1.0))
    assert int(state[1].total_notfinite) == 1
