"""Several processes, one for each host: the same program, each feeding its own part of the batch.

On a cluster `jax.distributed.initialize()` finds the others by itself. By hand, on one machine:

    python examples/several_processes.py 0 2 127.0.0.1:12345 &
    python examples/several_processes.py 1 2 127.0.0.1:12345
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import mmpareto_jax as mmp

process, processes, coordinator = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
jax.distributed.initialize(coordinator, processes, process)  # before anything uses a device

encoders = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in ("audio", "visual")}
tx = optax.chain(mmp.mmpareto(encoders), optax.sgd(0.1, momentum=0.9))


def losses(params, batch):
    features = {m: jnp.tanh(batch[m] @ params[m]) for m in encoders}
    features["joint"] = features["audio"] - features["visual"]
    return {k: jnp.mean((x @ params["head"] - batch["y"]) ** 2) for k, x in features.items()}


@jax.jit
def step(params, opt_state, batch):
    _, grads = mmp.value_and_objective_grads(losses, encoders)(params, batch)
    updates, opt_state = tx.update(grads, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


normal = np.random.default_rng(0).standard_normal
params = {m: normal((16, 32), "f") / 4 for m in encoders} | {"head": normal(32, "f")}
batch = {m: normal((64, 16), "f") for m in encoders} | {"y": normal(64, "f")}
expected, _ = step(params, tx.init(params), batch)  # on one device of this process

mesh = jax.make_mesh((jax.device_count(),), ("data",), axis_types=(AxisType.Auto,))
over_data, whole = NamedSharding(mesh, P("data")), NamedSharding(mesh, P())
mine = jax.tree.map(lambda x: np.split(x, processes)[process], batch)  # all that is read here
batch = jax.tree.map(lambda x: jax.make_array_from_process_local_data(over_data, x), mine)
state = jax.device_put((params, jax.tree.map(np.asarray, tx.init(params))), whole)
new, opt_state = step(*state, batch)

jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), new, expected)
if process == 0:
    print(f"{processes} processes with {jax.device_count()} devices took the step of one")
