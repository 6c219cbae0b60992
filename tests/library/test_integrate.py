"""`integrate`: every strategy against `value_and_objective_grads` and `aggregate`, or jax.grad."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mmpareto_jax as mmp

EXACT = ("stacked", "gramian")
exact = pytest.mark.parametrize("strategy", EXACT)


def encode(params, batch):
    return {
        name: jnp.tanh(batch[name] @ params[name]["w"] + params[name]["b"][None])
        for name in ("audio", "visual")
    }


def losses_from_features(params, features, batch):
    outputs = features | {"joint": jnp.concatenate([features["audio"], features["visual"]], axis=1)}
    return {
        name: -jnp.mean(
            jnp.sum(
                jax.nn.log_softmax(params["temperature"] * (outputs[name] @ head))
                * jax.nn.one_hot(batch["label"], 3),
                axis=1,
            )
        )
        for name, head in params["heads"].items()
    }


def step_of(integrator, **kwargs):
    return jax.jit(
        lambda params, state, batch: integrator.value_and_grad(params, state, batch, **kwargs)
    )


def reference(problem, weighting, steps, losses=None):
    """The updates of some steps by the aggregator, on the same parameters each time."""
    tx = mmp.aggregate(weighting, problem.encoders)
    grads_of = mmp.value_and_objective_grads(losses or problem.losses, problem.encoders)

    @jax.jit
    def step(params, state, batch):
        values, grads = grads_of(params, batch)
        return tx.update(grads, state, params, losses=values)

    updates, state = [], tx.init(problem.params)
    for _ in range(steps):
        update, state = step(problem.params, state, problem.batch)
        updates.append(update)
    return updates, mmp.diagnostics(state)


@exact
@pytest.mark.parametrize("name", ["mmpareto", "pcgrad", "gradnorm", "upgrad", "uniform"])
def test_exact_strategies_take_the_step_of_the_aggregator(late_fusion, strategy, name):
    weighting = getattr(mmp.weightings, name)()
    updates, seen = reference(late_fusion, weighting, 3)
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


@pytest.mark.parametrize("strategy", [*EXACT, "features"])
def test_auxiliary_output_and_further_arguments_pass_through(late_fusion, strategy):
    def losses(params, batch, *, scale):
        return {k: scale * v for k, v in late_fusion.losses(params, batch).items()}, "seen"

    def from_features(params, features, batch, *, scale):
        values = losses_from_features(params, features, batch)
        return {k: scale * v for k, v in values.items()}, "seen"

    model = losses
    if strategy == "features":
        model = mmp.Features(lambda params, batch, *, scale: encode(params, batch), from_features)
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


# ---------------------------------------------------------------- features


def features_step(problem, weighting, encode=encode, losses=losses_from_features):
    integrator = mmp.integrate(
        mmp.Features(encode, losses), problem.encoders, weighting, strategy="features"
    )
    step = step_of(integrator)
    return step(problem.params, integrator.init(problem.params), problem.batch)


def test_with_constant_weights_features_are_exact(late_fusion):
    weighting = mmp.weightings.constant([0.3, 1.7])
    (expected,), _ = reference(late_fusion, weighting, 1)
    values, grads, _ = features_step(late_fusion, weighting)
    chex.assert_trees_all_close(grads, expected, rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_close(
        values, late_fusion.losses(late_fusion.params, late_fusion.batch), rtol=1e-6
    )


def test_the_gramian_is_that_of_the_gradients_of_the_features(late_fusion):
    _, _, state = features_step(late_fusion, mmp.weightings.min_norm())
    features = encode(late_fusion.params, late_fusion.batch)
    for name in ("audio", "visual"):
        rows = []
        for objective in ("joint", name):

            def loss(own, name=name, objective=objective):
                return losses_from_features(
                    late_fusion.params, features | {name: own}, late_fusion.batch
                )[objective]

            rows.append(np.asarray(jax.grad(loss)(features[name]), float).ravel())
        expected = np.array(rows) @ np.array(rows).T
        found = mmp.diagnostics(state)[name]
        np.testing.assert_allclose(found.gramian, expected, rtol=1e-4)
        point = mmp.min_norm_weights(jnp.asarray(expected, jnp.float32))
        np.testing.assert_allclose(found.weights, 2 * point, rtol=1e-3)


def test_parameters_before_and_beside_the_features_get_their_gradients(late_fusion):
    """A plain parameter inside `encode`, and an encoder's parameter that a loss uses directly."""

    def scaled_encode(params, batch):
        encoded = encode(params, batch)
        encoded = {k: params["temperature"] * v for k, v in encoded.items()}
        return encoded | {"label": batch["label"]}

    def losses(params, features, batch):
        values = losses_from_features(params, features, batch | {"label": features["label"]})
        return values | {"audio": values["audio"] + jnp.sum(params["audio"]["w"] ** 2)}

    def together(params, batch):
        return losses(params, scaled_encode(params, batch), batch)

    weighting = mmp.weightings.constant([0.3, 1.7])
    (expected,), _ = reference(late_fusion, weighting, 1, together)
    _, grads, _ = features_step(late_fusion, weighting, scaled_encode, losses)
    chex.assert_trees_all_close(grads, expected, rtol=1e-4, atol=1e-6)


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

    def flops(function, *arguments):
        return jax.jit(function).lower(*arguments).compile().cost_analysis()["flops"]

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


# ---------------------------------------------------------------- bad input


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


def test_features_of_every_encoder_are_asked_for(late_fusion):
    def half(params, batch):
        return {"audio": encode(params, batch)["audio"]}

    with pytest.raises(ValueError, match=r"no features for encoder 'visual'.* audio"):
        features_step(late_fusion, mmp.weightings.uniform(), half)


@exact
def test_an_objective_that_is_no_loss_is_named(late_fusion, strategy):
    encoders = {"audio": mmp.Encoder(params="audio", objectives=("joint", "nothing"))}
    integrator = mmp.integrate(
        late_fusion.losses, encoders, mmp.weightings.uniform(), strategy=strategy
    )
    with pytest.raises(ValueError, match="no loss is called 'nothing'"):
        integrator.value_and_grad(
            late_fusion.params, integrator.init(late_fusion.params), late_fusion.batch
        )


@pytest.mark.parametrize("strategy", EXACT)
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


# ---------------------------------------------------------------- accumulation


@pytest.mark.parametrize("micro_batches", [1, 2, 8])
def test_accumulated_gradients_are_those_of_the_whole_batch(late_fusion, micro_batches):
    grads_of = mmp.value_and_objective_grads(late_fusion.losses, late_fusion.encoders)
    whole = grads_of(late_fusion.params, late_fusion.batch)
    parts = jax.jit(mmp.accumulate(grads_of, micro_batches))(late_fusion.params, late_fusion.batch)
    chex.assert_trees_all_close(parts, whole, rtol=1e-5, atol=1e-6)


def test_accumulation_is_integrated_once(late_fusion):
    """The update of the large batch, which the mean of the micro-batches' updates is not."""
    tx = mmp.mmpareto(late_fusion.encoders)
    grads_of = mmp.value_and_objective_grads(late_fusion.losses, late_fusion.encoders)

    def update(grads):
        return tx.update(grads, tx.init(late_fusion.params), late_fusion.params)[0]

    whole = update(grads_of(late_fusion.params, late_fusion.batch)[1])
    once = update(mmp.accumulate(grads_of, 4)(late_fusion.params, late_fusion.batch)[1])
    chex.assert_trees_all_close(once, whole, rtol=1e-4, atol=1e-6)
    micro = [jax.tree.map(lambda x, i=i: x[4 * i : 4 * i + 4], late_fusion.batch) for i in range(4)]
    each = [update(grads_of(late_fusion.params, batch)[1]) for batch in micro]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / 4, *each)
    assert optax.tree.norm(jax.tree.map(jnp.subtract, mean, whole)) > 1e-2


def test_accumulation_sums_half_precision_in_float32():
    grads_of = mmp.accumulate(jax.value_and_grad(lambda w, x: jnp.mean(w * x)), 512)
    batch = jnp.ones(512, jnp.bfloat16).at[0].set(256)
    value, grad = grads_of(jnp.ones((), jnp.bfloat16), batch)
    assert value.dtype == grad.dtype == jnp.bfloat16
    np.testing.assert_allclose(float(grad), (256 + 511) / 512, rtol=2**-8)


def test_a_batch_that_cannot_be_split_is_named(late_fusion):
    grads_of = mmp.value_and_objective_grads(late_fusion.losses, late_fusion.encoders)
    with pytest.raises(ValueError, match=r"shape \(16, 3\) cannot be split into 5"):
        mmp.accumulate(grads_of, 5)(late_fusion.params, late_fusion.batch)
    with pytest.raises(ValueError, match="micro_batches must be at least 1"):
        mmp.accumulate(grads_of, 0)
