"""A batch too large for one pass: average each objective's gradients, integrate once."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import mmpareto_jax as mmp

encoders = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in ("audio", "visual")}
tx = optax.chain(mmp.mmpareto(encoders), optax.sgd(0.1))


def losses(params, batch):
    features = {m: jnp.tanh(batch[m] @ params[m]) for m in encoders}
    features["joint"] = features["audio"] - features["visual"]
    return {k: jnp.mean((x @ params["head"] - batch["y"]) ** 2) for k, x in features.items()}


whole = mmp.value_and_objective_grads(losses, encoders)
in_parts = mmp.accumulate(whole, micro_batches=8)


def step(value_and_grads, params, batch):
    _, grads = value_and_grads(params, batch)
    updates, _ = tx.update(grads, tx.init(params), params)
    return optax.apply_updates(params, updates)


normal = np.random.default_rng(0).standard_normal
params = {m: normal((16, 64), "f") / 4 for m in encoders} | {"head": normal(64, "f")}
batch = {m: normal((8192, 16), "f") for m in encoders} | {"y": normal(8192, "f")}
programs = [
    jax.jit(step, static_argnums=0).lower(compute, params, batch).compile()
    for compute in (whole, in_parts)
]
at_once, accumulated = (program(params, batch) for program in programs)
memory = [program.memory_analysis().temp_size_in_bytes / 1e6 for program in programs]

jax.tree.map(
    lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), accumulated, at_once
)
assert memory[1] < memory[0] / 2
print(f"the same step with {memory[1]:.1f} instead of {memory[0]:.1f} MB of temporary memory")
