"""Ten steps of the same training on one device and on many, in every way JAX has of it.

Run by `test_parity.py`, in one process with eight CPU devices or in two with two each
(`parity_program.py PROCESS PROCESSES ADDRESS ARRANGEMENT ...`). Process 0 prints, as JSON, for each
arrangement and method the largest deviation of a parameter or batch statistic from the run on one
device.

Each arrangement is compiled once: which method integrates is a value, not a part of the program.
The network is smooth (tanh): where a ReLU switches, rounding that differs between two arrangements
would be amplified by the network, and not by what is tested.
"""

import json
import sys
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import mmpareto_jax as mmp

STEPS = 10
BATCH, INPUTS, WIDTH, FEATURES, CLASSES = 64, 16, 24, 16, 8
METHODS = ("mmpareto", "pcgrad", "gradnorm")
MODALITIES = ("audio", "visual")
ENCODERS = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in MODALITIES}
SGD = optax.sgd(0.3, momentum=0.9)


def one_of_the_methods(name):
    """A weighting that runs all methods and uses the weights of the one that its state names."""
    weightings = [getattr(mmp.weightings, method)() for method in METHODS]

    def init(count):
        return jnp.asarray(METHODS.index(name)), [each.init(count) for each in weightings]

    def update(gramian, state, **extra):
        chosen, states = state
        found = [w.update(gramian, s, **extra) for w, s in zip(weightings, states, strict=True)]
        return jnp.stack([weights for weights, _ in found])[chosen], (chosen, [s for _, s in found])

    return mmp.Weighting(init, update)


# ---------------------------------------------------------------- the network and its training


def problem():
    """Parameters, batch statistics, and one batch for each step; a label is hard to tell."""
    random = np.random.default_rng(0)
    normal = lambda *shape: random.standard_normal(shape, np.float32)
    params = {
        m: {
            "in": normal(INPUTS, WIDTH) / 4,
            "scale": 1 + normal(WIDTH) / 10,
            "offset": normal(WIDTH) / 10,
            "out": normal(WIDTH, FEATURES) / 5,
        }
        for m in MODALITIES
    }
    # Heads that want opposite things of the features, for conflict.
    head = normal(FEATURES, CLASSES) / 3
    wanted = {"joint": -head, "audio": head, "visual": -head}
    params["heads"] = {m: w + normal(FEATURES, CLASSES) / 2 for m, w in wanted.items()}
    statistics = {m: {"mean": np.zeros(WIDTH, "f"), "var": np.ones(WIDTH, "f")} for m in MODALITIES}
    batches = [
        {m: 2 * normal(BATCH, INPUTS) + 1 for m in MODALITIES}
        | {"label": random.integers(0, CLASSES, BATCH)}
        for _ in range(STEPS)
    ]
    return params, statistics, batches


def losses_of(params, statistics, batch, *, axis_name=None, features=None, gather=None):
    """Losses and new batch statistics.

    `axis_name`: the mapped axis over which the batch is spread, for the statistics; under `jit`
    they are global as they stand. `features`: the sharding of the encoders' outputs, which has to
    be named where axes are Explicit. `gather`: what makes whole parameters of shards.
    """
    if gather is not None:
        params = jax.tree.map(gather, params)
    mean_over = lambda x: x if axis_name is None else jax.lax.pmean(x, axis_name)
    encoded, running = {}, {}
    for m in MODALITIES:
        hidden = batch[m] @ params[m]["in"]
        if statistics is not None:
            mean = mean_over(jnp.mean(hidden, 0))
            var = mean_over(jnp.mean((hidden - mean[None]) ** 2, 0))
            running[m] = jax.tree.map(
                lambda old, new: 0.9 * old + 0.1 * new, statistics[m], {"mean": mean, "var": var}
            )
            hidden = (hidden - mean[None]) * jax.lax.rsqrt(var + 1e-5)[None]
        hidden = jnp.tanh(hidden * params[m]["scale"][None] + params[m]["offset"][None])
        encoded[m] = jnp.tanh(jnp.dot(hidden, params[m]["out"], out_sharding=features))
    encoded["joint"] = encoded["audio"] - encoded["visual"]
    values = {}
    for name, x in encoded.items():
        logits = x @ params["heads"][name]
        one_hot = jax.nn.one_hot(batch["label"], CLASSES)
        values[name] = -jnp.mean(jnp.sum(jax.nn.log_softmax(logits) * one_hot, -1))
    return values, (running if statistics is not None else None)


def optimizer(method, **axes):
    return optax.chain(mmp.aggregate(one_of_the_methods(method), ENCODERS, **axes), SGD)


def aggregated(losses, **axes):
    """A step by `value_and_objective_grads` and `aggregate`."""
    average = axes.pop("pmean", None)

    def step(state, batch):
        params, statistics, opt_state = state
        compute = mmp.value_and_objective_grads(losses, ENCODERS, has_aux=True)
        (values, statistics), grads = compute(params, statistics, batch)
        if average is not None:
            values, grads = jax.lax.pmean((values, grads), average)
        # The method is in the state; any will do here.
        tx = optimizer(METHODS[0], **axes)
        updates, opt_state = tx.update(grads, opt_state, params, losses=values)
        return optax.apply_updates(params, updates), statistics, opt_state

    return step


def accumulated(micro_batches, **axes):
    """A step over micro-batches. Their batch statistics would differ, so there are none."""

    def losses(params, batch):
        return losses_of(params, None, batch)[0]

    def step(state, batch):
        params, statistics, opt_state = state
        compute = mmp.accumulate(mmp.value_and_objective_grads(losses, ENCODERS), micro_batches)
        values, grads = compute(params, batch)
        tx = optimizer(METHODS[0], **axes)
        updates, opt_state = tx.update(grads, opt_state, params, losses=values)
        return optax.apply_updates(params, updates), statistics, opt_state

    return step


def integrator(method, losses, strategy):
    weighting = one_of_the_methods(method)
    return mmp.integrate(losses, ENCODERS, weighting, strategy=strategy, has_aux=True)


def integrated(losses, strategy):
    """A step by `integrate`."""

    def step(state, batch):
        params, statistics, (seen, opt_state) = state
        compute = integrator(METHODS[0], losses, strategy).value_and_grad
        (_, statistics), grads, seen = compute(params, seen, statistics, batch)
        updates, opt_state = SGD.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), statistics, (seen, opt_state)

    return step


def initial(method, norm=True, strategy=None):
    params, statistics, _ = problem()
    if strategy is None:
        opt_state = optimizer(method).init(params)
    else:
        opt_state = integrator(method, losses_of, strategy).init(params), SGD.init(params)
    return jax.tree.map(np.asarray, (params, statistics if norm else None, opt_state))


def train(step, state, place):
    for batch in problem()[2]:
        state = step(state, place(batch))
    return state[:2]


@cache
def on_one_device(method, norm=True):
    losses = losses_of
    if not norm:
        losses = lambda params, statistics, batch: (losses_of(params, None, batch)[0], None)
    step = one_device_step(losses)
    return jax.device_get(train(step, initial(method, norm), lambda batch: batch))


@cache
def one_device_step(losses):
    return jax.jit(aggregated(losses))


# ---------------------------------------------------------------- arrangements


def place(tree, shardings):
    """Arrays on a mesh; every process hands over what its own devices hold, and no more."""
    return jax.tree.map(
        lambda leaf, sharding: jax.make_array_from_callback(
            leaf.shape, sharding, lambda index: leaf[index]
        ),
        tree,
        shardings,
    )


def over_data(mesh):
    sharding = NamedSharding(mesh, P("data"))
    return lambda batch: place(batch, jax.tree.map(lambda _: sharding, batch))


def fetched(tree, mesh):
    whole = jax.jit(lambda tree: tree, out_shardings=NamedSharding(mesh, P()))(tree)
    return jax.tree.map(np.asarray, whole)


def specs_of(state, param_spec, statistics_spec):
    """Partition specs of a state: those of parameters for the momentum too."""
    params, statistics, opt_state = state
    specs = jax.tree_util.tree_map_with_path(lambda path, _: param_spec(path), params)
    *_, (momentum, *rest) = opt_state
    momentum = momentum._replace(trace=specs)
    others = jax.tree.map(lambda _: P(), (*opt_state[:-1], tuple(rest)))
    return (
        specs,
        jax.tree.map(lambda _: statistics_spec, statistics),
        (*others[:-1], (momentum, *others[-1])),
    )


def over_model(path):
    """Tensor parallelism in pairs: out of the first layer and into the second."""
    last = path[-1].key
    if path[0].key == "heads":
        return P()
    return {"in": P(None, "model"), "out": P("model")}.get(last, P("model"))


def whole(path):
    del path
    return P()


def fully_sharded(path):
    del path
    return P("data")


def make_mesh(shape, names, axis_type):
    return jax.make_mesh(shape, names, axis_types=(axis_type,) * len(names))


def under_jit(step, axis_type, param_spec=whole, **start):
    """`jit` over a mesh; the step of one device, with arrays that are placed on many."""

    def run(method):
        state = initial(method, **start)
        if param_spec is over_model:
            mesh = make_mesh((jax.device_count() // 2, 2), ("data", "model"), axis_type)
            statistics = P("model")
        else:
            mesh, statistics = make_mesh((jax.device_count(),), ("data",), axis_type), P()
        specs = specs_of(state, param_spec, statistics)
        shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)
        with jax.set_mesh(mesh):
            compiled = once(step, partial(jax.jit, out_shardings=shardings))
            return fetched(train(compiled, place(state, shardings), over_data(mesh)), mesh)

    return run


def in_shard_map(step, param_spec, check_vma=True, **start):
    def run(method):
        mesh = make_mesh((jax.device_count(),), ("data",), AxisType.Auto)
        state = initial(method, **start)
        specs = specs_of(state, param_spec, P())
        shardings = jax.tree.map(lambda spec: NamedSharding(mesh, spec), specs)
        mapped = partial(
            jax.shard_map,
            mesh=mesh,
            in_specs=(specs, P("data")),
            out_specs=specs,
            check_vma=check_vma,
        )
        compiled = once(step, lambda step: jax.jit(mapped(step)))
        return fetched(train(compiled, place(state, shardings), over_data(mesh)), mesh)

    return run


def in_pmap(step, **start):
    def run(method):
        here, first = jax.local_device_count(), jax.process_index() * jax.local_device_count()

        def own(leaf):
            parts = np.reshape(leaf, (jax.device_count(), -1, *leaf.shape[1:]))
            return parts[first : first + here]

        state = jax.tree.map(lambda leaf: np.stack([leaf] * here), initial(method, **start))
        compiled = once(step, partial(jax.pmap, axis_name="data"))
        state = train(compiled, state, lambda batch: jax.tree.map(own, batch))
        return jax.tree.map(lambda leaf: np.asarray(leaf.addressable_shards[0].data)[0], state)

    return run


COMPILED = {}


def once(step, compile_):
    """The compiled step; methods share it."""
    if step not in COMPILED:
        COMPILED[step] = compile_(step)
    return COMPILED[step]


def gathered_by_reshard(*args):
    return losses_of(*args, gather=lambda leaf: jax.sharding.reshard(leaf, P()))


def gathered_by_hand(*args):
    """Parameters gathered for the forward; the transpose scatters the gradients."""
    gather = partial(jax.lax.all_gather, axis_name="data", tiled=True)
    values, statistics = losses_of(*args, gather=gather, axis_name="data")
    return jax.lax.pmean(values, "data"), statistics


on_part_of_the_batch = partial(losses_of, axis_name="data")
AUTO, EXPLICIT = AxisType.Auto, AxisType.Explicit


named = partial(losses_of, features=P("data"))
NO_NORM = {"norm": False}
ARRANGEMENTS = {
    "jit, data, auto": under_jit(aggregated(losses_of), AUTO),
    "jit, data, explicit": under_jit(aggregated(losses_of), EXPLICIT),
    "jit, FSDP, auto": under_jit(aggregated(losses_of), AUTO, fully_sharded),
    "jit, FSDP, explicit": under_jit(aggregated(gathered_by_reshard), EXPLICIT, fully_sharded),
    "jit, data x tensor, auto": under_jit(aggregated(losses_of), AUTO, over_model),
    "jit, data x tensor, explicit": under_jit(aggregated(named), EXPLICIT, over_model),
    "shard_map, FSDP (axis_name)": in_shard_map(
        aggregated(gathered_by_hand, axis_name="data"), fully_sharded
    ),
    "shard_map, data (average_over)": in_shard_map(
        aggregated(on_part_of_the_batch, average_over="data"), whole, check_vma=False
    ),
    "pmap, gradients averaged": in_pmap(aggregated(on_part_of_the_batch, pmean="data")),
    "pmap (average_over)": in_pmap(aggregated(on_part_of_the_batch, average_over="data")),
    "jit, data, stacked": under_jit(integrated(losses_of, "stacked"), AUTO, strategy="stacked"),
    "jit, data, gramian": under_jit(integrated(losses_of, "gramian"), AUTO, strategy="gramian"),
    "jit, data x tensor, explicit, gramian": under_jit(
        integrated(named, "gramian"), EXPLICIT, over_model, strategy="gramian"
    ),
    "jit, data, auto, micro-batches": under_jit(accumulated(4), AUTO, **NO_NORM),
    "jit, data, explicit, micro-batches": under_jit(accumulated(4), EXPLICIT, **NO_NORM),
    "shard_map, data (average_over), micro-batches": in_shard_map(
        accumulated(4, average_over="data"), whole, check_vma=False, **NO_NORM
    ),
}

QUICK = (
    "jit, data, auto",
    "jit, FSDP, explicit",
    "jit, data x tensor, explicit",
    "shard_map, FSDP (axis_name)",
    "shard_map, data (average_over)",
    "pmap (average_over)",
    "jit, data, gramian",
    "jit, data x tensor, explicit, gramian",
    "jit, data, auto, micro-batches",
    "shard_map, data (average_over), micro-batches",
)
"""What eight devices run in every test run, one of each kind; the others are slow."""

IN_PROCESSES = (
    "jit, data x tensor, auto",
    "shard_map, data (average_over)",
)
"""What two processes with two devices each run in every test run; the others are slow."""


def deviation(actual, expected):
    """The largest difference, relative to the largest entry of each array."""
    return max(
        float(np.max(np.abs(a - e)) / np.max(np.abs(e)))
        for a, e in zip(jax.tree.leaves(actual), jax.tree.leaves(expected), strict=True)
    )


def course():
    """Of MMPareto's training on one device: what there was to keep apart."""
    state = start = initial("mmpareto")
    step = one_device_step(losses_of)
    cosines = []
    for batch in problem()[2]:
        state = step(state, batch)
        cosines += [float(found.cosine) for found in mmp.diagnostics(state[2]).values()]
    return {
        "share of conflict": float(np.mean(np.less(cosines, 0))),
        "smallest cosine": float(np.min(np.abs(cosines))),
        "change of the parameters": deviation(jax.device_get(state[0]), start[0]),
    }


def main():
    process, processes, address, *names = sys.argv[1:]
    if processes != "1":
        jax.distributed.initialize(address, int(processes), int(process))
    results = {}
    for name in names:
        run = ARRANGEMENTS[name]
        norm = "micro-batches" not in name
        try:
            found = {method: run(method) for method in METHODS}
            if jax.process_index() == 0:
                results[name] = {m: deviation(x, on_one_device(m, norm)) for m, x in found.items()}
        except Exception as error:
            results[name] = f"{type(error).__name__}: {error}"
    if jax.process_index() == 0:
        print(json.dumps({"deviations": results, "course": course()}))


if __name__ == "__main__":
    main()
