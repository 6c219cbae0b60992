"""bfloat16 activations over float32 parameters, and `jax.checkpoint` inside the encoders."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mmpareto_jax as mmp

DEPTH, WIDTH, BATCH = 6, 32, 2048
ENCODERS = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in ("audio", "visual")}
WEIGHTING = mmp.weightings.mmpareto()


@pytest.fixture(scope="module")
def problem():
    normal = np.random.default_rng(0).standard_normal
    params = {m: [normal((WIDTH, WIDTH)) / WIDTH**0.5 for _ in range(DEPTH)] for m in ENCODERS}
    params["head"] = normal(WIDTH) / WIDTH**0.5
    batch = {m: normal((BATCH, WIDTH)) for m in ENCODERS}
    return jax.tree.map(np.float32, (params, batch))


def layer(hidden, weights):
    return jnp.tanh(jax.nn.gelu(hidden @ weights.astype(hidden.dtype)))


def losses_of(dtype, layer=layer):
    """Activations in a dtype; parameters and losses in float32."""

    def losses(params, batch):
        features = {}
        for name in ENCODERS:
            hidden = batch[name].astype(dtype)
            for weights in params[name]:
                hidden = layer(hidden, weights)
            features[name] = hidden
        features["joint"] = features["audio"] - features["visual"]
        outputs = {n: (x @ params["head"].astype(dtype)).astype("f") for n, x in features.items()}
        return {name: jnp.mean((output - 1) ** 2) for name, output in outputs.items()}

    return losses


def compiled_step(losses, problem, strategy="stacked"):
    integrator = mmp.integrate(losses, ENCODERS, WEIGHTING, strategy=strategy)
    params, batch = problem
    state = integrator.init(params)
    compiled = jax.jit(integrator.value_and_grad).lower(params, state, batch).compile()
    return compiled, compiled(params, state, batch)


@pytest.mark.parametrize("strategy", ["stacked", "gramian"])
def test_the_gramian_of_half_precision_activations_is_float32(problem, strategy):
    _, (_, _, exact) = compiled_step(losses_of(jnp.float32), problem)
    _, (values, grads, state) = compiled_step(losses_of(jnp.bfloat16), problem, strategy)
    chex.assert_type(jax.tree.leaves((values, grads)), jnp.float32)
    for name, expected in mmp.diagnostics(exact).items():
        found = mmp.diagnostics(state)[name]
        assert found.gramian.dtype == found.weights.dtype == jnp.float32
        # Six layers forth and back in a type of eight bits, averaged over many samples.
        scale = np.max(np.abs(expected.gramian))
        np.testing.assert_allclose(found.gramian, expected.gramian, atol=4 * 2**-8 * scale)
        np.testing.assert_allclose(found.cosine, expected.cosine, atol=2**-8)


def test_the_gramian_is_that_of_the_rounded_gradients_without_further_loss(problem):
    """What rounding there is comes from the activations: the sums are as good as float64's."""
    losses = losses_of(jnp.bfloat16)
    params, batch = problem
    _, grads = jax.jit(mmp.value_and_objective_grads(losses, ENCODERS))(params, batch)
    tx = mmp.mmpareto(ENCODERS)
    _, state = tx.update(grads, tx.init(params), params)
    for name, found in mmp.diagnostics(state).items():
        rows = np.concatenate([np.reshape(leaf, (2, -1)) for leaf in grads[name]], 1, dtype=float)
        np.testing.assert_allclose(found.gramian, rows @ rows.T, rtol=1e-5)


@pytest.mark.parametrize("strategy", ["stacked", "gramian"])
def test_checkpointed_encoders_take_the_same_step(problem, strategy):
    _, plain = compiled_step(losses_of(jnp.float32), problem, strategy)
    checkpointed = losses_of(jnp.float32, jax.checkpoint(layer))
    _, recomputed = compiled_step(checkpointed, problem, strategy)
    chex.assert_trees_all_close(recomputed, plain, rtol=1e-4, atol=1e-6)


def test_checkpointed_encoders_take_less_memory(problem):
    def temporary(layer):
        compiled, _ = compiled_step(losses_of(jnp.float32, layer), problem)
        return compiled.memory_analysis().temp_size_in_bytes

    assert temporary(jax.checkpoint(layer)) < 0.75 * temporary(layer)
