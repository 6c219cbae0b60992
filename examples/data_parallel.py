"""Data parallelism under `jit`: spread the batch over a mesh and change nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import mmpareto_jax as mmp

encoders = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in ("audio", "visual")}
tx = optax.chain(mmp.mmpareto(encoders), optax.sgd(0.1, momentum=0.9))


def losses(params, batch):
    features = {m: jnp.tanh(batch[m] @ params[m]) for m in encoders}
    features["joint"] = features["audio"] - features["visual"]
    return {k: jnp.mean((x @ params["head"] - batch["y"]) ** 2) for k, x in features.items()}


@jax.jit
def step(params, opt_state, batch):
    values, grads = mmp.value_and_objective_grads(losses, encoders)(params, batch)
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state, values


normal = np.random.default_rng(0).standard_normal
params = {m: normal((16, 32), "f") / 4 for m in encoders} | {"head": normal(32, "f")}
batch = {m: normal((64, 16), "f") for m in encoders} | {"y": normal(64, "f")}
expected, _, _ = step(params, tx.init(params), batch)  # on one device

mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))
params = jax.device_put(params, NamedSharding(mesh, P()))  # whole on every device
batch = jax.device_put(batch, NamedSharding(mesh, P("data")))  # a part on each
new, opt_state, values = step(params, tx.init(params), batch)

jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), new, expected)
cosines = {name: round(float(d.cosine), 3) for name, d in mmp.diagnostics(opt_state).items()}
print(f"{jax.device_count()} devices took the step of one; cosines {cosines}")
