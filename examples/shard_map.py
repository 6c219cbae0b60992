"""`shard_map` with `average_over`: each device brings the gradients of its part of the batch.

The objectives' gradients are reduce-scattered, integrated on the shards, and only the combined
gradient is gathered: (K + 1) / 2 of the bytes of a plain step, where averaging K gradients takes K.
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


def step(tx, params, opt_state, batch):
    _, grads = mmp.value_and_objective_grads(losses, encoders)(params, batch)
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


normal = np.random.default_rng(0).standard_normal
params = {m: normal((16, 32), "f") / 4 for m in encoders} | {"head": normal(32, "f")}
batch = {m: normal((64, 16), "f") for m in encoders} | {"y": normal(64, "f")}

tx = optax.chain(mmp.mmpareto(encoders), optax.sgd(0.1, momentum=0.9))
expected, _ = jax.jit(functools.partial(step, tx))(params, tx.init(params), batch)

# No pmean of the gradients: the aggregator averages them.
tx = optax.chain(mmp.mmpareto(encoders, average_over="data"), optax.sgd(0.1, momentum=0.9))
mapped = jax.shard_map(
    functools.partial(step, tx),
    mesh=mesh,
    in_specs=(P(), P(), P("data")),
    out_specs=P(),
    check_vma=False,  # else JAX would have summed the gradients already
)
compiled = jax.jit(mapped).lower(params, tx.init(params), batch).compile()
new, _ = compiled(params, tx.init(params), batch)

jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), new, expected)
assert "reduce-scatter" in compiled.as_text()
print(f"{jax.device_count()} devices integrated a shard each and took the step of one")
