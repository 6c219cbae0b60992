"""One step of a late-fusion network on one device and on eight, in every way JAX has of it.

Run by `test_parallel.py` in a process of its own, which has eight CPU devices. Prints, as JSON, for
each case the largest deviation of a new parameter or Gramian from the run on one device.
"""

import json
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import mmpareto_jax as mmp

DEVICES = 8
UNIMODAL = ("audio", "visual")


def encoders(count):
    """Two encoders, each with the joint loss, its own, and so many further ones."""
    more = tuple(f"view {i}" for i in range(count - 2))
    return {m: mmp.Encoder(params=m, objectives=("joint", m, *more)) for m in UNIMODAL}


def weighting_of(count):
    """The headline for two; for three the losses decide, for nine the Gramian is what counts."""
    return {2: mmp.weightings.mmpareto, 3: mmp.weightings.stch, 9: mmp.weightings.uniform}[count]()


def aggregator(count, axis_name=None):
    return mmp.aggregate(weighting_of(count), encoders(count), axis_name=axis_name)


def losses_of(count, params, batch):
    hidden = {m: jnp.tanh(batch[m] @ params[m]["w"] + params[m]["b"]) for m in UNIMODAL}
    hidden["joint"] = hidden["audio"] - hidden["visual"]
    outputs = {name: value @ params["heads"][name] for name, value in hidden.items()}
    values = {name: jnp.mean((value - batch["target"]) ** 2) for name, value in outputs.items()}
    for i in range(count - 2):
        values[f"view {i}"] = jnp.mean((hidden["joint"] - i) ** 2)
    return values


def problem():
    normal = np.random.default_rng(0).standard_normal
    params = {m: {"w": normal((16, 24)), "b": normal(24)} for m in UNIMODAL}
    params["heads"] = {name: normal((24, 8)) for name in ("joint", *UNIMODAL)}
    batch = {m: normal((64, 16)) for m in UNIMODAL} | {"target": normal((64, 8))}
    return jax.tree.map(np.float32, (params, batch))


@cache
def gradients(count):
    compute = mmp.value_and_objective_grads(partial(losses_of, count), encoders(count))
    return jax.tree.map(np.asarray, jax.jit(compute)(*problem())[1])


def step(tx, losses, names, params, batch):
    """New parameters, and each encoder's Gramian."""
    values, grads = mmp.value_and_objective_grads(losses, names)(params, batch)
    updates, state = tx.update(grads, tx.init(params), params, losses=values)
    gramians = {name: found.gramian for name, found in mmp.diagnostics(state).items()}
    return optax.apply_updates(params, jax.tree.map(lambda u: -u, updates)), gramians


def single(count, params, batch):
    return jax.jit(partial(step, aggregator(count), partial(losses_of, count), encoders(count)))(
        params, batch
    )


def under_jit(count, axis_type, spec, params, batch):
    """Batch sharded over the mesh; parameters replicated, or sharded as well (FSDP)."""
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(axis_type,))

    def losses(params, batch):
        if axis_type == AxisType.Explicit:
            params = jax.tree.map(lambda leaf: jax.sharding.reshard(leaf, P()), params)
        return losses_of(count, params, batch)

    with jax.set_mesh(mesh):
        params = jax.device_put(params, NamedSharding(mesh, spec))
        batch = jax.device_put(batch, NamedSharding(mesh, P("data")))
        run = jax.jit(partial(step, aggregator(count), losses, encoders(count)))
        new, gramians = run(params, batch)
    if axis_type == AxisType.Explicit:
        for leaf, old in zip(jax.tree.leaves(new), jax.tree.leaves(params), strict=True):
            assert leaf.sharding.is_equivalent_to(old.sharding, leaf.ndim), leaf.sharding
    return new, gramians


def in_shard_map(count, params, batch):
    """FSDP by hand: parameters gathered for the forward, gradients scattered by its transpose."""
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))

    def losses(params, batch):
        gather = partial(jax.lax.all_gather, axis_name="data", tiled=True)
        return jax.lax.pmean(losses_of(count, jax.tree.map(gather, params), batch), "data")

    run = partial(step, aggregator(count, "data"), losses, encoders(count))
    specs = {"in_specs": (P("data"), P("data")), "out_specs": (P("data"), P())}
    return jax.jit(jax.shard_map(run, mesh=mesh, **specs))(params, batch)


def over_two_axes(count, params, batch):
    """Gradients of parameters that are sharded over both axes of a mesh."""
    mesh = jax.make_mesh((2, 4), ("x", "y"), axis_types=(AxisType.Auto,) * 2)
    del batch
    tx = aggregator(count, axis_name=("x", "y"))
    grads = gradients(count)
    sharded = P(("x", "y"))
    stacked = {m: P(None, ("x", "y")) for m in UNIMODAL} | {"heads": sharded}

    def update(params, grads):
        updates, state = tx.update(grads, tx.init(params), params)
        gramians = {name: found.gramian for name, found in mmp.diagnostics(state).items()}
        return jax.tree.map(jnp.subtract, params, updates), gramians

    run = jax.shard_map(update, mesh=mesh, in_specs=(sharded, stacked), out_specs=(sharded, P()))
    return jax.jit(run)(params, grads)


def in_pmap(count, params, batch):
    """The same sharding of parameters, one shard a device."""
    del batch
    tx = aggregator(count, axis_name="shard")
    grads = gradients(count)

    def split(leaf, axis):
        return np.stack(np.split(leaf, DEVICES, axis))

    def update(params, grads):
        updates, state = tx.update(grads, tx.init(params), params)
        gramians = {name: found.gramian for name, found in mmp.diagnostics(state).items()}
        return jax.tree.map(jnp.subtract, params, updates), gramians

    axes = {m: jax.tree.map(lambda _: 1, params[m]) for m in UNIMODAL}
    axes["heads"] = jax.tree.map(lambda _: 0, params["heads"])
    new, gramians = jax.pmap(update, axis_name="shard")(
        jax.tree.map(lambda leaf: split(leaf, 0), params), jax.tree.map(split, grads, axes)
    )
    new = jax.tree.map(lambda leaf: np.concatenate(leaf), new)
    return new, jax.tree.map(lambda leaf: leaf[0], gramians)


def on_shards(count, wrap, params, batch):
    """Every device has the gradients of its own part of the batch; they are averaged in shards."""
    tx = mmp.aggregate(weighting_of(count), encoders(count), average_over="data")

    def update(params, batch):
        compute = mmp.value_and_objective_grads(partial(losses_of, count), encoders(count))
        values, grads = compute(params, batch)
        updates, state = tx.update(grads, tx.init(params), params, losses=values)
        gramians = {name: found.gramian for name, found in mmp.diagnostics(state).items()}
        return jax.tree.map(jnp.subtract, params, updates), gramians

    return wrap(update, params, batch)


def mapped_by_shard_map(update, params, batch):
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    specs = {"in_specs": (P(), P("data")), "out_specs": P(), "check_vma": False}
    return jax.jit(jax.shard_map(update, mesh=mesh, **specs))(params, batch)


def mapped_by_pmap(update, params, batch):
    split = jax.tree.map(lambda leaf: leaf.reshape(DEVICES, -1, *leaf.shape[1:]), batch)
    found = jax.pmap(update, axis_name="data", in_axes=(None, 0))(params, split)
    return jax.tree.map(lambda leaf: leaf[0], found)


CASES = {
    "jit, auto axes, batch sharded": partial(under_jit, 2, AxisType.Auto, P()),
    "jit, auto axes, parameters sharded": partial(under_jit, 2, AxisType.Auto, P("data")),
    "jit, explicit axes, batch sharded": partial(under_jit, 2, AxisType.Explicit, P()),
    "jit, explicit axes, parameters sharded": partial(under_jit, 2, AxisType.Explicit, P("data")),
    "jit, explicit axes, nine objectives": partial(under_jit, 9, AxisType.Explicit, P("data")),
    "shard_map": partial(in_shard_map, 2),
    "shard_map over two axes": partial(over_two_axes, 2),
    "pmap": partial(in_pmap, 2),
    "shard_map, integration on shards": partial(on_shards, 2, mapped_by_shard_map),
    "pmap, integration on shards": partial(on_shards, 2, mapped_by_pmap),
    "shard_map, integration on shards, losses": partial(on_shards, 3, mapped_by_shard_map),
}


def deviation(actual, expected):
    """The largest difference, relative to the largest entry of each array."""
    return max(
        float(np.max(np.abs(np.asarray(a) - np.asarray(e))) / np.max(np.abs(np.asarray(e))))
        for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True)
    )


def update_collectives():
    """Names of the collectives in the compiled update of sharded gradients."""
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    tx = aggregator(2)
    params, _ = problem()
    grads = {m: jax.tree.map(lambda leaf: np.stack([leaf, -leaf]), params[m]) for m in UNIMODAL}
    sharded = NamedSharding(mesh, P("data"))
    grads = jax.device_put(grads, NamedSharding(mesh, P(None, "data")))
    grads["heads"] = jax.device_put(params["heads"], sharded)
    params = jax.device_put(params, sharded)
    update = lambda params, grads: tx.update(grads, tx.init(params), params)
    text = jax.jit(update, out_shardings=(sharded, None)).lower(params, grads).compile().as_text()
    names = ("all-reduce", "all-gather", "all-to-all", "collective-permute", "reduce-scatter")
    return [name for name in names if f" {name}(" in text or f" {name}-start(" in text]


def main():
    assert jax.device_count() == DEVICES
    params, batch = problem()
    expected = {count: single(count, params, batch) for count in (2, 3, 9)}
    results = {}
    for name, run in CASES.items():
        try:
            results[name] = deviation(run(params, batch), expected[run.args[0]])
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"
    print(json.dumps({"deviations": results, "collectives": update_collectives()}))


if __name__ == "__main__":
    main()
