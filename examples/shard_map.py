"""`shard_map` with `average_over`: each device has a part of the batch, in two ways.

Where gradients are taken it works in any `shard_map`, and averages K gradients. On the aggregator
it takes the devices' own gradients, integrates on shards and gathers the combined gradient alone:
(K + 1) / 2 times the bytes of a plain step, where averaging K gradients takes K.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType
from jax.sharding import PartitionSpec as P

import mmpareto_jax as mmp

encoders = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in ("audio", "visual")}
mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))


def losses(params, batch):
    features = {m: jnp.tanh(batch[m] @ params[m]) for m in encoders}
    features["joint"] = features["audio"] - features["visual"]
    return {k: jnp.mean((x @ params["head"] - batch["y"]) ** 2) for k, x in features.items()}


def step(params, opt_state, batch, *, tx, average_over=None):
    compute = mmp.value_and_objective_grads(losses, encoders, average_over=average_over)
    _, grads = compute(params, batch)
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


def mapped(step, check_vma):
    specs = {"in_specs": (P(), P(), P("data")), "out_specs": P(), "check_vma": check_vma}
    compiled = jax.jit(jax.shard_map(step, mesh=mesh, **specs)).lower(*state, batch).compile()
    return compiled(*state, batch)[0], "reduce-scatter" in compiled.as_text()


normal = np.random.default_rng(0).standard_normal
params = {m: normal((16, 32), "f") / 4 for m in encoders} | {"head": normal(32, "f")}
batch = {m: normal((64, 16), "f") for m in encoders} | {"y": normal(64, "f")}

tx = optax.chain(mmp.mmpareto(encoders), optax.sgd(0.1, momentum=0.9))
state = params, tx.init(params)
expected, _ = jax.jit(functools.partial(step, tx=tx))(*state, batch)

averaging = functools.partial(step, tx=tx, average_over="data")
on_shards = optax.chain(mmp.mmpareto(encoders, average_over="data"), optax.sgd(0.1, momentum=0.9))
ways = [
    mapped(averaging, check_vma=True),  # JAX's default
    mapped(averaging, check_vma=False),
    mapped(functools.partial(step, tx=on_shards), check_vma=False),
]
for new, _ in ways:
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), new, expected)
assert [scattered for _, scattered in ways] == [False, False, True]
print(f"{jax.device_count()} devices took the step of one in {len(ways)} ways")
