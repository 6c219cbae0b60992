"""`pmap`, with batch statistics over all devices; each device combines a shard of the gradients."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

import mmpareto_jax as mmp

encoders = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in ("audio", "visual")}
sgd = optax.sgd(0.1, momentum=0.9)


def losses(params, batch, axis_name=None):
    def mean(x):
        x = jnp.mean(x, 0, keepdims=True)
        return x if axis_name is None else jax.lax.pmean(x, axis_name)

    features = {}
    for m in encoders:
        hidden = batch[m] @ params[m]
        center = mean(hidden)
        spread = mean((hidden - center) ** 2)
        features[m] = jnp.tanh((hidden - center) * jax.lax.rsqrt(spread + 1e-5))
    features["joint"] = features["audio"] - features["visual"]
    return {k: jnp.mean((x @ params["head"] - batch["y"]) ** 2) for k, x in features.items()}


def step(params, opt_state, batch, *, tx, axis_name=None):
    _, grads = mmp.value_and_objective_grads(losses, encoders)(params, batch, axis_name)
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


normal = np.random.default_rng(0).standard_normal
params = {m: normal((16, 32), "f") / 4 for m in encoders} | {"head": normal(32, "f")}
batch = {m: normal((64, 16), "f") for m in encoders} | {"y": normal(64, "f")}
tx = optax.chain(mmp.mmpareto(encoders), sgd)
expected, _ = jax.jit(functools.partial(step, tx=tx))(params, tx.init(params), batch)

devices = jax.local_device_count()
tx = optax.chain(mmp.mmpareto(encoders, average_over="data"), sgd)
copied = jax.tree.map(lambda x: np.stack([x] * devices), (params, tx.init(params)))
parts = jax.tree.map(lambda x: x.reshape(devices, -1, *x.shape[1:]), batch)
new, _ = jax.pmap(functools.partial(step, tx=tx, axis_name="data"), axis_name="data")(
    *copied, parts
)

for device in range(devices):
    mine = jax.tree.map(lambda x, device=device: x[device], new)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), mine, expected
    )
print(f"{devices} devices took the step of one, batch statistics included")
