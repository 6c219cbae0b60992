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
    hidden = {m: jnp.tanh(batch[m] @ params[m]["w"] + params[m]["b"][None]) for m in UNIMODAL}
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


def step(tx, losses, names, params, batch, average_over=None):
    """New parameters, and each encoder's Gramian."""
    compute = mmp.value_and_objective_grads(losses, names, average_over=average_over)
    values, grads = compute(params, batch)
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


def in_shard_map(count, average_over, params, batch):
    """FSDP by hand: parameters gathered for the forward, gradients scattered by its transpose."""
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))

    def losses(params, batch):
        gather = partial(jax.lax.all_gather, axis_name="data", tiled=True)
        values = losses_of(count, jax.tree.map(gather, params), batch)
        return values if average_over else jax.lax.pmean(values, "data")

    run = partial(
        step, aggregator(count, "data"), losses, encoders(count), average_over=average_over
    )
    specs = {"in_specs": (P("data"), P("data")), "out_specs": (P("data"), P())}
    return jax.jit(jax.shard_map(run, mesh=mesh, **specs))(params, batch)


def with_a_whole_tensor(count, params, batch):
    """Gradients of encoders of which one tensor is sharded and one is whole on every device."""
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    del batch
    tx = aggregator(count, axis_name="data")
    places = {m: {"w": P("data"), "b": P()} for m in UNIMODAL} | {"heads": P()}
    stacked = {m: {"w": P(None, "data"), "b": P()} for m in UNIMODAL} | {"heads": P()}

    def update(params, grads):
        updates, state = tx.update(grads, tx.init(params), params)
        gramians = {name: found.gramian for name, found in mmp.diagnostics(state).items()}
        return jax.tree.map(jnp.subtract, params, updates), gramians

    run = jax.shard_map(update, mesh=mesh, in_specs=(places, stacked), out_specs=(places, P()))
    return jax.jit(run)(params, gradients(count))


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
        values, grads = compute(apart(params, "data"), batch)
        updates, state = tx.update(grads, tx.init(params), params, losses=values)
        gramians = {name: found.gramian for name, found in mmp.diagnostics(state).items()}
        return jax.tree.map(jnp.subtract, params, updates), gramians

    return wrap(update, params, batch)


def mapped_by_shard_map(update, params, batch, check_vma=False):
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    specs = {"in_specs": (P(), P("data")), "out_specs": P(), "check_vma": check_vma}
    return jax.jit(jax.shard_map(update, mesh=mesh, **specs))(params, batch)


def mapped_by_pmap(update, params, batch):
    split = jax.tree.map(lambda leaf: leaf.reshape(DEVICES, -1, *leaf.shape[1:]), batch)
    found = jax.pmap(update, axis_name="data", in_axes=(None, 0))(params, split)
    return jax.tree.map(lambda leaf: leaf[0], found)


# ---------------------------------------------------------------- the batch in parts


def halves(average, gather):
    """The network of `losses_of` as encoders and heads, with features scaled over the batch."""

    def encode(params, batch):
        params = gather(params)
        hidden = {m: batch[m] @ params[m]["w"] + params[m]["b"][None] for m in UNIMODAL}
        return {
            m: jnp.tanh(h) / average(jnp.mean(h**2, axis=0, keepdims=True))
            for m, h in hidden.items()
        }

    def losses(params, features, batch):
        params = gather(params)
        both = features | {"joint": features["audio"] - features["visual"]}
        outputs = {name: value @ params["heads"][name] for name, value in both.items()}
        return {name: jnp.mean((x - batch["target"]) ** 2) for name, x in outputs.items()}

    return encode, losses


def ways(axes, gather=lambda params: params):
    """Functions from parameters and batch to what every way of `average_over` makes of them.

    Args:
      axes: The mapped axes of devices that have the whole parameters and parts of the batch; None
        for one device.
      gather: From sharded parameters to whole ones.
    """
    average = partial(jax.lax.pmean, axis_name=axes) if axes else lambda values: values
    names = encoders(2)
    encode, heads = halves(average, gather)
    local = lambda params, batch: heads(params, encode(params, batch), batch)
    one_averaged = lambda values: values | {"joint": average(values["joint"])}
    one_mean = lambda params, batch: one_averaged(local(params, batch))
    gradients_of = partial(mmp.value_and_objective_grads, encoders=names, average_over=axes)
    headline = mmp.mmpareto(names)
    tracked = optax.chain(mmp.track_gradients(names), mmp.aggregate(mmp.weightings.moco(), names))

    def aggregated(tx, compute, params, batch):
        values, grads = compute(params, batch)
        updates, state = tx.update(grads, tx.init(params), params, losses=values)
        return values, updates, jax.tree.leaves(state)

    def integrated(model, weighting, strategy, params, batch):
        integrator = mmp.integrate(model, names, weighting, strategy=strategy, average_over=axes)
        return integrator.value_and_grad(params, integrator.init(params), batch)

    def of_one_loss(params, batch):
        summed = lambda params, batch: sum(local(params, batch).values())
        compute = mmp.accumulate(jax.value_and_grad(summed), 2)
        return average(compute(apart(params, axes), batch))

    pareto, by_losses = mmp.weightings.mmpareto(), mmp.weightings.stch()
    features = mmp.Features(encode, heads)
    one_mean_features = mmp.Features(encode, lambda *args: one_averaged(heads(*args)))
    return {
        "gradients": partial(aggregated, headline, gradients_of(local)),
        "gradients, one averaged loss": partial(aggregated, headline, gradients_of(one_mean)),
        "accumulate": partial(aggregated, headline, mmp.accumulate(gradients_of(local), 2)),
        "accumulate, one loss": of_one_loss,
        "track_gradients": partial(aggregated, tracked, gradients_of(local)),
        "grad_drop": partial(aggregated, mmp.grad_drop(names), gradients_of(local)),
        "trimmed_mean": partial(aggregated, mmp.trimmed_mean(names), gradients_of(local)),
        "released rule": partial(
            aggregated, mmp.mmpareto(names, rescale="leaf"), gradients_of(local)
        ),
        "stacked": partial(integrated, local, by_losses, "stacked"),
        "gramian": partial(integrated, local, pareto, "gramian"),
        "gramian, one averaged loss": partial(integrated, one_mean, pareto, "gramian"),
        "features": partial(integrated, features, pareto, "features"),
        "features, one averaged loss": partial(integrated, one_mean_features, pareto, "features"),
    }


def all_ways(params, batch, axes=None, names=None, **kwargs):
    made = ways(axes, **kwargs)
    return {name: made[name](params, batch) for name in names or made}


def apart(params, axes):
    """Each device's own parameters, whose gradients shard_map does not sum."""
    if axes is None:
        return params
    return jax.tree.map(lambda leaf: jnp.where(jax.lax.axis_index(axes) < 0, 0, leaf), params)


def mapped_ways(mapping, params, batch):
    """The results of every way, from each device, `[DEVICES, ...]`; or of all under jit."""
    names = MAPPINGS[mapping]
    if mapping == "explicit axes":
        mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Explicit,))
        gather = partial(jax.tree.map, lambda leaf: jax.sharding.reshard(leaf, P()))
        with jax.set_mesh(mesh):
            placed = jax.device_put((params, batch), NamedSharding(mesh, P("data")))
            return jax.jit(partial(all_ways, names=names, gather=gather))(*placed)
    if mapping == "pmap":
        split = jax.tree.map(lambda leaf: leaf.reshape(DEVICES, -1, *leaf.shape[1:]), batch)
        run = jax.pmap(partial(all_ways, axes="data", names=names), "data", in_axes=(None, 0))
        return run(params, split)
    axes = ("x", "y")
    mesh = jax.make_mesh((2, 4), axes, axis_types=(AxisType.Auto,) * 2)
    check = mapping == "shard_map"
    run = jax.shard_map(
        lambda params, batch: jax.tree.map(lambda x: x[None], all_ways(params, batch, axes, names)),
        mesh=mesh,
        in_specs=(P(), P(axes)),
        out_specs=P() if check else P(axes),  # P() and the check: all devices have the same
        check_vma=check,
    )
    return jax.jit(run)(params, batch)


AVERAGED = ("gradients", "gramian", "features")
ONE_AVERAGED = tuple(f"{way}, one averaged loss" for way in AVERAGED)
CARRIED = ("accumulate", "track_gradients", "stacked")
MAPPINGS = {
    "shard_map": (*AVERAGED, *ONE_AVERAGED, *CARRIED, "accumulate, one loss"),
    "shard_map, check_vma=False": (*AVERAGED, *ONE_AVERAGED[:2], *CARRIED),
    "pmap": AVERAGED,
    "explicit axes": (*AVERAGED[1:], *CARRIED, "grad_drop", "trimmed_mean", "released rule"),
}
WAY_CASES = [f"{mapping}, {way}" for mapping, names in MAPPINGS.items() for way in names]


CASES = {
    "jit, auto axes, batch sharded": partial(under_jit, 2, AxisType.Auto, P()),
    "jit, auto axes, parameters sharded": partial(under_jit, 2, AxisType.Auto, P("data")),
    "jit, explicit axes, batch sharded": partial(under_jit, 2, AxisType.Explicit, P()),
    "jit, explicit axes, parameters sharded": partial(under_jit, 2, AxisType.Explicit, P("data")),
    "jit, explicit axes, nine objectives": partial(under_jit, 9, AxisType.Explicit, P("data")),
    "shard_map": partial(in_shard_map, 2, None),
    "shard_map, shards of the averaged gradient": partial(in_shard_map, 2, "data"),
    "shard_map over two axes": partial(over_two_axes, 2),
    "shard_map, a tensor whole on every device": partial(with_a_whole_tensor, 2),
    "pmap": partial(in_pmap, 2),
    "shard_map, integration on shards": partial(on_shards, 2, mapped_by_shard_map),
    "shard_map with its check, integration on shards": partial(
        on_shards, 2, partial(mapped_by_shard_map, check_vma=True)
    ),
    "pmap, integration on shards": partial(on_shards, 2, mapped_by_pmap),
    "shard_map, integration on shards, losses": partial(on_shards, 3, mapped_by_shard_map),
}


def deviation(actual, expected):
    """The largest difference, relative to the largest entry of each array."""
    return max(
        float(np.max(np.abs(np.asarray(a) - np.asarray(e))) / np.max(np.abs(np.asarray(e))))
        for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True)
    )


def refused():
    """What is said to gradients that shard_map has summed, where the aggregator is to average."""
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    params, batch = problem()
    tx = mmp.mmpareto(encoders(2), average_over="data")
    update = partial(step, tx, partial(losses_of, 2), encoders(2))
    mapped = jax.shard_map(update, mesh=mesh, in_specs=(P(), P("data")), out_specs=P())
    try:
        jax.eval_shape(mapped, params, batch)
    except ValueError as error:
        return str(error)


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


def alignments():
    """By way, how far the alignment of sharded parameters is from that of one device."""
    params, _ = problem()
    grads, owners = gradients(2), encoders(2)
    whole = jax.jit(lambda g, u: mmp.update_alignment(g, u, owners))(grads, params)
    mesh = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Auto,))
    places = {m: {"w": P("data"), "b": P()} for m in UNIMODAL} | {"heads": P()}
    stacked = {m: {"w": P(None, "data"), "b": P()} for m in UNIMODAL} | {"heads": P()}
    run = partial(
        jax.shard_map,
        lambda g, u: mmp.update_alignment(g, u, owners, axis_name="data"),
        mesh=mesh,
        in_specs=(stacked, places),
        out_specs=P(),
    )
    explicit = jax.make_mesh((DEVICES,), ("data",), axis_types=(AxisType.Explicit,))
    with jax.set_mesh(explicit):
        placed = [
            jax.device_put(tree, jax.tree.map(partial(NamedSharding, explicit), specs))
            for tree, specs in ((grads, stacked), (params, places))
        ]
        seen = jax.jit(lambda g, u: mmp.update_alignment(g, u, owners))(*placed)
    ways = {"shard_map": jax.jit(run())(grads, params), "explicit": seen}
    return {
        way: max(
            float(np.abs(np.asarray(a) - np.asarray(b)).max() / np.abs(np.asarray(b)).max())
            for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(whole), strict=True)
        )
        for way, found in ways.items()
    }


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
    whole = jax.jit(all_ways)(params, batch)
    for mapping in MAPPINGS:
        for way, found in mapped_ways(mapping, params, batch).items():
            results[f"{mapping}, {way}"] = deviation(found, whole[way])
    report = {"deviations": results, "collectives": update_collectives(), "refused": refused()}
    report["alignments"] = alignments()
    print(json.dumps(report))


if __name__ == "__main__":
    main()
