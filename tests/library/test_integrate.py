"""`integrate` with any strategy: what it passes on, what it costs, and what it refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import flops
from integrating import EXACT

import mmpareto_jax as mmp


@pytest.mark.parametrize("strategy", [*EXACT, "features"])
def test_auxiliary_output_and_further_arguments_pass_through(late_fusion, strategy):
    def losses(params, batch, *, scale):
        return {k: scale * v for k, v in late_fusion.losses(params, batch).items()}, "seen"

    def from_features(params, features, batch, *, scale):
        values = late_fusion.losses_from_features(params, features, batch)
        return {k: scale * v for k, v in values.items()}, "seen"

    model = losses
    if strategy == "features":
        encode = lambda params, batch, *, scale: late_fusion.encode(params, batch)
        model = mmp.Features(encode, from_features)
    integrator = mmp.integrate(
        model,
        late_fusion.encoders,
        mmp.weightings.uniform(),
        strategy=strategy,
        has_aux=True,
    )
    state = integrator.init(late_fusion.params)
    (values, aux), grads, _ = integrator.value_and_grad(
        late_fusion.params, state, late_fusion.batch, scale=2.0
    )
    assert aux == "seen"
    assert jax.tree.map(jnp.shape, grads) == jax.tree.map(jnp.shape, late_fusion.params)
    joint = late_fusion.losses(late_fusion.params, late_fusion.batch)["joint"]
    np.testing.assert_allclose(values["joint"], 2 * joint, rtol=1e-6)


def test_the_cost_of_each_strategy_is_that_of_its_backward_passes():
    """Deep encoders and small heads: 1 forward and 2, 4 and 2 + 4 backward halves; see docs."""
    depth, width = 6, 64
    encoders = {
        name: mmp.Encoder(params=name, objectives=("joint", name)) for name in ("audio", "visual")
    }
    params = {name: [jnp.eye(width)] * depth for name in encoders} | {"head": jnp.ones(width)}
    batch = jnp.ones((32, width))

    def encode(params, batch):
        encoded = {}
        for name in encoders:
            hidden = batch
            for weights in params[name]:
                hidden = jnp.tanh(hidden @ weights)
            encoded[name] = hidden
        return encoded

    def losses(params, features, batch):
        outputs = features | {"joint": features["audio"] + features["visual"]}
        return {name: jnp.mean((hidden @ params["head"]) ** 2) for name, hidden in outputs.items()}

    def whole(params, batch):
        return losses(params, encode(params, batch), batch)

    uniform = flops(jax.grad(lambda p: sum(whole(p, batch).values())), params)
    ratios = {}
    for strategy in (*EXACT, "features"):
        model = mmp.Features(encode, losses) if strategy == "features" else whole
        integrator = mmp.integrate(model, encoders, mmp.weightings.mmpareto(), strategy=strategy)
        cost = flops(integrator.value_and_grad, params, integrator.init(params), batch)
        ratios[strategy] = cost / uniform
    assert ratios["stacked"] < 1.8  # 5/3 and the Gramian
    assert ratios["gramian"] < 2.5  # 7/3 and the Gramian
    assert ratios["features"] < 1.1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "magic"}, "strategy must be"),
        ({"strategy": "features"}, "takes losses=Features"),
    ],
)
def test_a_wrong_strategy_is_named(late_fusion, arguments, message):
    with pytest.raises(ValueError, match=message):
        mmp.integrate(
            late_fusion.losses, late_fusion.encoders, mmp.weightings.uniform(), **arguments
        )


@pytest.mark.parametrize("strategy", EXACT)
def test_an_objective_that_is_no_loss_is_named(late_fusion, strategy):
    encoders = {"audio": mmp.Encoder(params="audio", objectives=("joint", "nothing"))}
    integrator = mmp.integrate(
        late_fusion.losses, encoders, mmp.weightings.uniform(), strategy=strategy
    )
    with pytest.raises(ValueError, match="no loss is called 'nothing'"):
        integrator.value_and_grad(
            late_fusion.params, integrator.init(late_fusion.params), late_fusion.batch
        )
