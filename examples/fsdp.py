"""Fully sharded data parallelism: parameters and momentum are spread over the devices too."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import mmpareto_jax as mmp

encoders = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in ("audio", "visual")}
tx = optax.chain(mmp.mmpareto(encoders), optax.sgd(0.05, momentum=0.9))

mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))
sharded, replicated = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())


def losses(params, batch):
    features = {m: jnp.tanh(batch[m] @ params[m]) for m in encoders}
    features["joint"] = features["audio"] - features["visual"]
    return {k: jnp.mean((x @ params["head"] - batch["y"]) ** 2) for k, x in features.items()}


@jax.jit
def step(params, opt_state, batch):
    values, grads = mmp.value_and_objective_grads(losses, encoders)(params, batch)
    updates, opt_state = tx.update(grads, opt_state, params)
    # A gradient lies as its parameter does: XLA gathers weights and scatters gradients for it.
    params = jax.lax.with_sharding_constraint(optax.apply_updates(params, updates), sharded)
    return params, opt_state, values


normal = np.random.default_rng(0).standard_normal
params = {m: normal((16, 32), "f") / 4 for m in encoders} | {"head": normal(32, "f") / 6}
batch = {m: normal((64, 16), "f") for m in encoders} | {"y": normal(64, "f")}
params, batch = jax.device_put((params, batch), sharded)

# Every leaf of the shape of its parameter is sharded like it; the Gramians are small and whole.
opt_state = tx.init(params)
places = optax.tree_map_params(
    tx, lambda _: sharded, opt_state, transform_non_params=lambda _: replicated
)
opt_state = jax.device_put(opt_state, places)

totals = []
for _ in range(20):
    params, opt_state, values = step(params, opt_state, batch)
    totals.append(float(sum(values.values())))

assert step._cache_size() == 1
assert all(leaf.sharding.is_equivalent_to(sharded, leaf.ndim) for leaf in jax.tree.leaves(params))
assert totals[-1] < totals[0]
shard = params["audio"].addressable_shards[0].data.shape
print(f"a device holds {shard} of {params['audio'].shape};", end=" ")
print(f"sum of losses {totals[0]:.2f} -> {totals[-1]:.2f}")
