"""Data and tensor parallelism on a mesh of two axes, with Auto axes and with Explicit ones."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import mmpareto_jax as mmp

encoders = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in ("audio", "visual")}
tx = optax.chain(mmp.mmpareto(encoders), optax.sgd(0.1))

# The first layer is split by its outputs and the second by its inputs: one sum at the end.
layout = {m: {"in": P(None, "model"), "out": P("model")} for m in encoders} | {"head": P()}


def losses(params, batch, out_sharding=None):
    features = {}
    for m in encoders:
        hidden = jnp.tanh(batch[m] @ params[m]["in"])
        # Explicit axes ask where the result of a sum over a sharded axis is to lie.
        features[m] = jnp.dot(hidden, params[m]["out"], out_sharding=out_sharding)
    features["joint"] = features["audio"] - features["visual"]
    return {k: jnp.mean((x @ params["head"] - batch["y"]) ** 2) for k, x in features.items()}


def step(params, opt_state, batch, out_sharding=None):
    compute = mmp.value_and_objective_grads(losses, encoders)
    _, grads = compute(params, batch, out_sharding)
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates)


step = jax.jit(step, static_argnames="out_sharding")
normal = np.random.default_rng(0).standard_normal
params = {m: {"in": normal((16, 32), "f") / 4, "out": normal((32, 8), "f") / 6} for m in encoders}
params["head"] = normal(8, "f")
batch = {m: normal((64, 16), "f") for m in encoders} | {"y": normal(64, "f")}
expected = step(params, tx.init(params), batch)  # on one device

for kind in (AxisType.Auto, AxisType.Explicit):
    mesh = jax.make_mesh((jax.device_count() // 2, 2), ("data", "model"), axis_types=(kind,) * 2)
    with jax.set_mesh(mesh):
        places = jax.tree.map(lambda spec, mesh=mesh: NamedSharding(mesh, spec), layout)
        placed = jax.device_put(params, places)
        shared = jax.device_put(batch, NamedSharding(mesh, P("data")))
        out_sharding = P("data") if kind == AxisType.Explicit else None
        new = step(placed, tx.init(placed), shared, out_sharding=out_sharding)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), new, expected)
    print(f"{kind}: {dict(mesh.shape)} took the step of one device")
