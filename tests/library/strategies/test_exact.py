"""The strategies `stacked` and `gramian` take the step of the aggregator."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from integrating import EXACT, step_of, updates_of_the_aggregator

import mmpareto_jax as mmp

exact = pytest.mark.parametrize("strategy", EXACT)


@exact
@pytest.mark.parametrize("name", ["mmpareto", "pcgrad", "gradnorm", "upgrad", "uniform"])
def test_exact_strategies_take_the_step_of_the_aggregator(late_fusion, strategy, name):
    weighting = getattr(mmp.weightings, name)()
    updates, seen = updates_of_the_aggregator(late_fusion, weighting, 3)
    integrator = mmp.integrate(
        late_fusion.losses, late_fusion.encoders, weighting, strategy=strategy
    )
    step = step_of(integrator)
    state = integrator.init(late_fusion.params)
    for update in updates:
        values, grads, state = step(late_fusion.params, state, late_fusion.batch)
        chex.assert_trees_all_close(grads, update, rtol=1e-4, atol=1e-6)
    expected = late_fusion.losses(late_fusion.params, late_fusion.batch)
    chex.assert_trees_all_close(values, expected, rtol=1e-6)
    chex.assert_trees_all_close(mmp.diagnostics(state), seen, rtol=1e-4, atol=1e-6)
    assert step._cache_size() == 1


@exact
def test_one_encoder_may_have_many_objectives_and_a_loss_outside_them(late_fusion, strategy):
    everything = {
        "all": mmp.Encoder(params=("audio", "visual"), objectives=("visual", "joint", "audio"))
    }

    def losses(params, batch):
        decay = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
        return late_fusion.losses(params, batch) | {"decay": decay}

    weights = np.array([0.5, 2.0, -1.0])
    integrator = mmp.integrate(
        losses, everything, mmp.weightings.constant(weights), strategy=strategy
    )
    state = integrator.init(late_fusion.params)
    _, grads, _ = step_of(integrator)(late_fusion.params, state, late_fusion.batch)
    order = ("visual", "joint", "audio")

    def weighted(params):
        values = losses(params, late_fusion.batch)
        return sum(w * values[name] for w, name in zip(weights, order, strict=True))

    expected = jax.grad(weighted)(late_fusion.params)
    plain = jax.grad(lambda p: sum(losses(p, late_fusion.batch).values()))(late_fusion.params)
    for name in ("audio", "visual"):
        chex.assert_trees_all_close(grads[name], expected[name], rtol=1e-4, atol=1e-6)
    for name in ("heads", "temperature"):
        chex.assert_trees_all_close(grads[name], plain[name], rtol=1e-4, atol=1e-6)


@exact
def test_a_bad_loss_spoils_its_encoders_and_no_other(late_fusion, strategy):
    def losses(params, batch):
        values = late_fusion.losses(params, batch)
        return values | {"visual": values["visual"] * jnp.nan}

    integrator = mmp.integrate(
        losses, late_fusion.encoders, mmp.weightings.mmpareto(), strategy=strategy
    )
    state = integrator.init(late_fusion.params)
    _, grads, after = integrator.value_and_grad(late_fusion.params, state, late_fusion.batch)
    assert np.all(np.isnan(grads["visual"]["w"]))
    assert np.all(np.isfinite(grads["audio"]["w"]))
    assert int(after.encoders["visual"].weighting.step) == 0
    assert int(after.encoders["audio"].weighting.step) == 1
