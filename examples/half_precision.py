"""bfloat16 activations over float32 parameters, and encoders that recompute their activations."""

import jax
import jax.numpy as jnp
import numpy as np

import mmpareto_jax as mmp

encoders = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in ("audio", "visual")}


def layer(hidden, weights):
    return jnp.tanh(jax.nn.gelu(hidden @ weights.astype(hidden.dtype)))


def losses(params, batch, dtype, layer):
    features = {}
    for m in encoders:
        hidden = batch[m].astype(dtype)  # from here on activations are of this type
        for weights in params[m]:
            hidden = layer(hidden, weights)
        features[m] = hidden
    features["joint"] = features["audio"] - features["visual"]
    outputs = {k: x @ params["head"].astype(dtype) for k, x in features.items()}
    return {k: jnp.mean((x.astype(jnp.float32) - 1) ** 2) for k, x in outputs.items()}


def step(params, batch, dtype, layer):
    integrator = mmp.integrate(losses, encoders, mmp.weightings.mmpareto())
    _, grads, state = integrator.value_and_grad(
        params, integrator.init(params), batch, dtype=dtype, layer=layer
    )
    return grads, {name: found.gramian for name, found in mmp.diagnostics(state).items()}


normal = np.random.default_rng(0).standard_normal
params = {m: [normal((32, 32), "f") / 6 for _ in range(6)] for m in encoders}
params["head"] = normal(32, "f") / 6
batch = {m: normal((2048, 32), "f") for m in encoders}
results, memory = {}, {}
for name, dtype, each in [
    ("float32", jnp.float32, layer),
    ("bfloat16", jnp.bfloat16, layer),
    ("float32, recomputed", jnp.float32, jax.checkpoint(layer)),
]:
    program = jax.jit(step, static_argnums=(2, 3)).lower(params, batch, dtype, each).compile()
    results[name] = program(params, batch)
    memory[name] = program.memory_analysis().temp_size_in_bytes / 1e6

exact, half, recomputed = results.values()
for name in encoders:
    assert half[1][name].dtype == jnp.float32
    np.testing.assert_allclose(half[1][name], exact[1][name], atol=0.03 * exact[1][name].max())
jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), recomputed, exact)
assert memory["float32, recomputed"] < 0.75 * memory["float32"]
print("MB of temporary memory:", {name: round(size, 1) for name, size in memory.items()})
