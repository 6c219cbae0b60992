"""`value_and_objective_grads` and `stack_objectives` against one `jax.grad` per loss."""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx

import mmpareto_jax as mmp

MODALITIES = ("audio", "visual")


def separate_grads(losses, params, batch):
    """One full gradient per loss, by `jax.grad`."""

    @jax.jit
    def compute(params):
        loss = lambda params, name: losses(params, batch)[name]
        return {name: jax.grad(loss)(params, name) for name in ("joint", *MODALITIES)}

    return compute(params)


def stack(grads, encoders, encoder_of):
    """The contract, spelled out: rows in the order of the objectives, elsewhere the sum."""

    def leaf(path, *leaves):
        by_name = dict(zip(grads, leaves, strict=True))
        name = encoder_of(jax.tree_util.keystr(path, simple=True, separator="/"))
        if name is None:
            return sum(leaves)
        return jnp.stack([by_name[objective] for objective in encoders[name].objectives])

    return jax.tree_util.tree_map_with_path(leaf, *grads.values())


def top_level(path):
    name = path.split("/")[0]
    return name if name in MODALITIES else None


# ---------------------------------------------------------------- plain dicts


def compute(losses, problem, *args, params=None, has_aux=False, **kwargs):
    """`value_and_objective_grads` under jit."""
    params = problem.params if params is None else params
    function = mmp.value_and_objective_grads(losses, problem.encoders, has_aux=has_aux)
    return jax.jit(function)(params, problem.batch, *args, **kwargs)


def test_gradients_equal_one_jax_grad_per_loss(late_fusion):
    values, grads = compute(late_fusion.losses, late_fusion)
    chex.assert_trees_all_close(
        values, late_fusion.losses(late_fusion.params, late_fusion.batch), rtol=1e-6
    )
    separate = separate_grads(late_fusion.losses, late_fusion.params, late_fusion.batch)
    expected = stack(separate, late_fusion.encoders, top_level)
    chex.assert_trees_all_close(grads, expected, rtol=1e-5, atol=1e-7)


def test_rows_follow_the_order_of_the_objectives(late_fusion):
    backwards = {"audio": mmp.Encoder(params="audio", objectives=("audio", "joint"))}
    reverse = jax.jit(mmp.value_and_objective_grads(late_fusion.losses, backwards))
    _, grads = reverse(late_fusion.params, late_fusion.batch)
    expected = jax.tree.map(lambda leaf: leaf[::-1], late_fusion.grads["audio"])
    chex.assert_trees_all_close(grads["audio"], expected, rtol=1e-5, atol=1e-7)


def test_a_loss_outside_an_encoders_objectives_does_not_train_it(late_fusion):
    def with_decay(params, batch):
        decay = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
        return late_fusion.losses(params, batch) | {"decay": decay}

    _, grads = compute(with_decay, late_fusion)
    plain = late_fusion.grads
    chex.assert_trees_all_close(grads["audio"], plain["audio"], rtol=1e-5, atol=1e-7)
    expected = jax.tree.map(lambda g, p: g + 2 * p, plain["heads"], late_fusion.params["heads"])
    chex.assert_trees_all_close(grads["heads"], expected, rtol=1e-5, atol=1e-7)


def test_a_loss_that_ignores_the_parameters_has_zero_gradient():
    encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "constant"))}
    losses = lambda params: {"joint": params["net"] ** 2, "constant": jnp.float32(3.0)}
    _, grads = mmp.value_and_objective_grads(losses, encoders)({"net": jnp.float32(2.0)})
    assert grads["net"].tolist() == [4.0, 0.0]


def test_has_aux_returns_the_auxiliary_output_beside_the_values(late_fusion):
    def with_aux(params, batch):
        return late_fusion.losses(params, batch), {"labels": batch["label"]}

    (values, aux), grads = compute(with_aux, late_fusion, has_aux=True)
    assert set(values) == {"joint", *MODALITIES}
    chex.assert_trees_all_equal(aux, {"labels": late_fusion.batch["label"].astype(np.int32)})
    chex.assert_trees_all_close(grads, late_fusion.grads, rtol=1e-6)


def test_further_arguments_reach_the_losses(late_fusion):
    def scaled(params, batch, scale, *, shift):
        losses = late_fusion.losses(params, batch)
        return {name: scale * value + shift for name, value in losses.items()}

    values, grads = compute(scaled, late_fusion, 4.0, shift=1.0)
    plain = late_fusion.losses(late_fusion.params, late_fusion.batch)
    chex.assert_trees_all_close(values, {n: 4 * v + 1 for n, v in plain.items()}, rtol=1e-6)
    expected = jax.tree.map(lambda g: 4 * g, late_fusion.grads)
    chex.assert_trees_all_close(grads, expected, rtol=1e-5, atol=1e-7)


def test_gradients_of_bfloat16_parameters_are_bfloat16(late_fusion):
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), late_fusion.params)

    def losses(params, batch):
        return late_fusion.losses(jax.tree.map(lambda leaf: leaf.astype("f"), params), batch)

    _, grads = compute(losses, late_fusion, params=params)
    separate = separate_grads(losses, params, late_fusion.batch)
    expected = stack(separate, late_fusion.encoders, top_level)
    chex.assert_trees_all_equal_shapes_and_dtypes(grads, expected)
    rounding = float(4 * jnp.finfo(jnp.bfloat16).eps)
    chex.assert_trees_all_close(grads, expected, rtol=rounding, atol=rounding / 4)


def test_stacking_separate_gradients_gives_the_same(late_fusion):
    separate = separate_grads(late_fusion.losses, late_fusion.params, late_fusion.batch)
    stacked = mmp.stack_objectives(separate, late_fusion.encoders)
    chex.assert_trees_all_close(stacked, late_fusion.grads, rtol=1e-5, atol=1e-7)


# ---------------------------------------------------------------- networks


class Network(NamedTuple):
    """A late-fusion network with dropout, batch statistics and a checkpointed encoder."""

    params: Any
    stats: Any
    losses: Callable[..., tuple[dict[str, jax.Array], Any]]  # (params, stats, batch) -> ..., stats
    means: Callable[[Any, str], jax.Array]  # the running mean of an encoder in the stats


class LinenEncoder(linen.Module):
    @linen.compact
    def __call__(self, x):
        x = linen.BatchNorm(use_running_average=False, momentum=0.9)(linen.Dense(6)(x))
        return linen.Dropout(0.5, deterministic=False)(linen.relu(linen.Dense(6)(x)))


class LinenNetwork(linen.Module):
    @linen.compact
    def __call__(self, batch):
        hidden = {
            "audio": linen.checkpoint(LinenEncoder)(name="audio")(batch["audio"]),
            "visual": LinenEncoder(name="visual")(batch["visual"]),
        }
        logits = {m: linen.Dense(3, name=f"head_{m}")(hidden[m]) for m in MODALITIES}
        both = jnp.concatenate([hidden[m] for m in MODALITIES], axis=1)
        return logits | {"joint": linen.Dense(3, name="head_joint")(both)}


def losses_of(logits, labels):
    return {
        name: jnp.mean(optax.softmax_cross_entropy_with_integer_labels(value, labels))
        for name, value in logits.items()
    }


def linen_network(batch):
    model, dropout = LinenNetwork(), {"dropout": jax.random.key(2, impl="rbg")}
    variables = jax.jit(model.init)({"params": jax.random.key(1, impl="rbg"), **dropout}, batch)

    def losses(params, stats, batch):
        variables = {"params": params, "batch_stats": stats}
        logits, changed = model.apply(variables, batch, rngs=dropout, mutable=["batch_stats"])
        return losses_of(logits, batch["label"]), changed["batch_stats"]

    means = lambda stats, name: stats[name]["BatchNorm_0"]["mean"]
    return Network(variables["params"], variables["batch_stats"], losses, means)


class NNXEncoder(nnx.Module):
    def __init__(self, features, rngs):
        self.first = nnx.Linear(features, 6, rngs=rngs)
        self.norm = nnx.BatchNorm(6, momentum=0.9, rngs=rngs)
        self.second = nnx.Linear(6, 6, rngs=rngs)
        self.dropout = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.dropout(nnx.relu(self.second(self.norm(self.first(x)))))


class NNXNetwork(nnx.Module):
    def __init__(self, rngs):
        self.audio = NNXEncoder(3, rngs)
        self.visual = NNXEncoder(5, rngs)
        self.heads = nnx.Dict(
            {name: nnx.Linear(6, 3, rngs=rngs) for name in MODALITIES}
            | {"joint": nnx.Linear(12, 3, rngs=rngs)}
        )

    def __call__(self, batch):
        hidden = {
            "audio": nnx.remat(NNXEncoder.__call__)(self.audio, batch["audio"]),
            "visual": self.visual(batch["visual"]),
        }
        both = jnp.concatenate([hidden[m] for m in MODALITIES], axis=1)
        return {m: self.heads[m](hidden[m]) for m in MODALITIES} | {"joint": self.heads.joint(both)}


def nnx_network(batch):
    del batch
    graph, params, rest = nnx.split(
        NNXNetwork(nnx.Rngs(jax.random.key(1, impl="rbg"))), nnx.Param, ...
    )

    def losses(params, stats, batch):
        model = nnx.merge(graph, params, stats)
        values = losses_of(model(batch), batch["label"])
        return values, nnx.to_pure_dict(nnx.state(model, nnx.Not(nnx.Param)))

    means = lambda stats, name: stats[name]["norm"]["mean"]
    return Network(nnx.to_pure_dict(params), nnx.to_pure_dict(rest), losses, means)


class Compiled(NamedTuple):
    """Outputs and FLOPs of the library, and of one `jax.grad` per loss, on one network."""

    network: Network
    values: dict[str, jax.Array]
    stats: Any
    grads: Any
    expected: Any
    flops: float
    separate_flops: float


def flops(executable):
    return executable.cost_analysis()["flops"]


@pytest.fixture(scope="module", params=[linen_network, nnx_network], ids=["linen", "nnx"])
def compiled(request, late_fusion):
    batch, encoders = late_fusion.batch, late_fusion.encoders
    network = request.param(batch)
    args = network.params, network.stats, batch

    def separately(params, stats, batch):
        loss = lambda params, name: network.losses(params, stats, batch)[0][name]
        grads = {name: jax.grad(loss)(params, name) for name in ("joint", *MODALITIES)}
        return *network.losses(params, stats, batch), stack(grads, encoders, top_level)

    together = mmp.value_and_objective_grads(network.losses, encoders, has_aux=True)
    library = jax.jit(together).lower(*args).compile()
    reference = jax.jit(separately).lower(*args).compile()
    (values, stats), grads = library(*args)
    return Compiled(
        network, values, stats, grads, reference(*args)[2], flops(library), flops(reference)
    )


def test_networks_with_dropout_batch_norm_and_checkpoint_match_jax_grad(compiled):
    # Equal to jax.grad of each loss under the same key: one dropout mask for all losses.
    chex.assert_trees_all_close(compiled.grads, compiled.expected, rtol=1e-4, atol=1e-6)


def test_batch_statistics_advance_exactly_once(compiled, late_fusion):
    params = compiled.network.params["audio"]
    first = params["first"] if "first" in params else params["Dense_0"]
    seen = np.mean(late_fusion.batch["audio"] @ first["kernel"] + first["bias"][None], axis=0)
    # From zero, with momentum 0.9: two advances would give 0.19 of the mean.
    means = compiled.network.means(compiled.stats, "audio")
    chex.assert_trees_all_close(means, 0.1 * seen, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("compiled", [nnx_network], ids=["nnx"], indirect=True)
def test_a_stateful_random_stream_advances_exactly_once(compiled):
    count = lambda stats: int(stats["visual"]["dropout"]["rngs"]["count"])
    assert count(compiled.stats) == count(compiled.network.stats) + 1


def test_nnx_states_are_as_good_as_pure_dicts(late_fusion):
    graph, params = nnx.split(nnx.Linear(3, 4, rngs=nnx.Rngs(0)))
    encoders = {"net": mmp.Encoder(params="kernel", objectives=("joint", "audio"))}

    def losses(params, batch):
        output = nnx.merge(graph, params)(batch)
        return {"joint": jnp.mean(output**2), "audio": jnp.mean(jnp.sin(output))}

    compute = jax.jit(mmp.value_and_objective_grads(losses, encoders))
    _, grads = compute(params, late_fusion.batch["audio"])
    _, from_dicts = compute(nnx.to_pure_dict(params), late_fusion.batch["audio"])
    assert isinstance(grads, nnx.State)
    chex.assert_trees_all_equal(nnx.to_pure_dict(grads), from_dicts)


# ---------------------------------------------------------------- cost


def test_the_forward_is_traced_once(late_fusion):
    calls = []

    def counting(params, batch):
        calls.append(None)
        return late_fusion.losses(params, batch)

    count = mmp.value_and_objective_grads(counting, late_fusion.encoders)
    jax.eval_shape(count, late_fusion.params, late_fusion.batch)
    assert len(calls) == 1


def test_flops_are_at_most_those_of_separate_gradients(compiled):
    assert compiled.flops <= compiled.separate_flops


def test_flops_are_at_most_five_thirds_of_the_gradient_of_the_sum():
    width, depth = 64, 4
    names = ("joint", *MODALITIES)

    def losses(params, batch):
        hidden = {}
        for name in MODALITIES:
            hidden[name] = batch
            for layer in params[name]:
                hidden[name] = jax.nn.relu(hidden[name] @ layer)
        hidden["joint"] = hidden["audio"] + hidden["visual"]
        return {name: jnp.mean(hidden[name] @ params["heads"][name]) for name in names}

    layers = [jnp.ones((width, width))] * depth
    params = {"audio": layers, "visual": layers, "heads": {n: jnp.ones(width) for n in names}}
    encoders = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in MODALITIES}
    batch = jnp.ones((128, width))
    summed = jax.value_and_grad(lambda params, batch: sum(losses(params, batch).values()))
    separate = mmp.value_and_objective_grads(losses, encoders)
    cost = [flops(jax.jit(f).lower(params, batch).compile()) for f in (separate, summed)]
    assert cost[0] / cost[1] <= 5 / 3


# ---------------------------------------------------------------- transformations


def test_eager_execution_gives_the_same(late_fusion):
    function = mmp.value_and_objective_grads(late_fusion.losses, late_fusion.encoders)
    _, grads = function(late_fusion.params, late_fusion.batch)
    chex.assert_trees_all_close(grads, late_fusion.grads, rtol=1e-5, atol=1e-7)


def training_step(problem, tx):
    def step(params, opt_state, batch):
        compute = mmp.value_and_objective_grads(problem.losses, problem.encoders)
        values, grads = compute(params, batch)
        updates, opt_state = tx.update(grads, opt_state, params)
        return optax.apply_updates(params, updates), opt_state, values

    return step


def test_vmap_over_seeds_equals_a_loop(late_fusion):
    tx = optax.chain(mmp.mmpareto(late_fusion.encoders), optax.sgd(0.1))
    step = training_step(late_fusion, tx)

    runs = [jax.tree.map(lambda p, s=s: s * np.asarray(p), late_fusion.params) for s in (1, -1, 3)]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *runs)
    run = lambda params: step(params, tx.init(params), late_fusion.batch)
    together = jax.jit(jax.vmap(run))(stacked)
    alone = jax.jit(run)
    for i, params in enumerate(runs):
        this = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        chex.assert_trees_all_close(this, alone(params), rtol=1e-5, atol=1e-6)


def test_scan_equals_a_loop(late_fusion):
    tx = optax.chain(mmp.mmpareto(late_fusion.encoders), optax.sgd(0.1, momentum=0.9))
    step = training_step(late_fusion, tx)

    @jax.jit
    def scanned(params):
        body = lambda carry, _: (step(*carry, late_fusion.batch)[:2], None)
        return jax.lax.scan(body, (params, tx.init(params)), length=5)[0]

    carry, one_step = (late_fusion.params, tx.init(late_fusion.params)), jax.jit(step)
    for _ in range(5):
        carry = one_step(*carry, late_fusion.batch)[:2]
    chex.assert_trees_all_close(scanned(late_fusion.params), carry, rtol=1e-4, atol=1e-6)


# Inner problem: quadratic losses whose centers pull one vector of parameters, which starts at zero,
# together or apart.
CENTERS = {
    "agreement": [[2.0, 1.0, 0.5], [1.0, 2.0, -0.5]],
    "conflict": [[2.0, 1.0, 0.5], [-1.0, 2.0, -0.5]],
    "conflict, clipped": [[2.0, 1.0, 0.5], [-0.2, 0.1, 0.1]],
    "three in agreement": [[2.0, 1.0, 0.5], [1.0, 2.0, 0.5], [1.0, 1.0, 1.0]],
    "three in conflict": [[2.0, 1.0, 0.5], [-1.0, 2.0, 0.5], [0.5, -2.0, 1.0]],
}


@cache
def outer_loss(count, rescale):
    """A loss after one inner step, with its derivative by the weight of the second inner loss."""
    names = [f"loss {i}" for i in range(count)]
    encoders = {"net": mmp.Encoder(params="net", objectives=tuple(names))}
    tx = optax.chain(mmp.mmpareto(encoders, rescale=rescale), optax.sgd(0.3))

    def losses(params, weight, centers):
        values = jnp.sum((params["net"][None] - centers) ** 2, axis=1)
        return dict(zip(names, values.at[1].multiply(weight), strict=True))

    def after_step(weight, centers):
        params = {"net": jnp.zeros(3)}
        _, grads = mmp.value_and_objective_grads(losses, encoders)(params, weight, centers)
        updates, state = tx.update(grads, tx.init(params), params)
        params = optax.apply_updates(params, updates)
        return jnp.sum(jnp.sin(params["net"])), mmp.diagnostics(state)["net"].conflict

    return jax.jit(jax.value_and_grad(after_step, has_aux=True))


@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
@pytest.mark.parametrize("case", CENTERS)
def test_a_hyper_parameter_can_be_differentiated_through_the_step(case, rescale):
    with jax.enable_x64(True):
        centers, h = np.array(CENTERS[case]), 1e-5
        outer = outer_loss(len(centers), rescale)
        (_, conflict), derivative = outer(1.3, centers)
        (above, _), _ = outer(1.3 + h, centers)
        (below, _), _ = outer(1.3 - h, centers)
        assert bool(conflict) == ("conflict" in case)
        np.testing.assert_allclose(derivative, (above - below) / (2 * h), rtol=1e-6)


@cache
def derivative_by_scale(rescale):
    tx, params = mmp.mmpareto(rescale=rescale), jnp.zeros(2)

    def after_step(scale, rows):
        return jnp.sum(tx.update(scale * rows, tx.init(params), params)[0])

    return jax.jit(jax.grad(after_step))


@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
@pytest.mark.parametrize(
    "rows",
    [[[0.0, 0.0], [0.0, 0.0]], [[1.0, 2.0], [0.0, 0.0]], [[1.0, 2.0], [-1.0, -2.0]]],
    ids=["all zero", "one zero", "opposite"],
)
def test_zero_and_opposite_gradients_have_finite_derivatives(rows, rescale):
    # A dead encoder, or a stationary one, must not poison the derivative of the whole step.
    assert jnp.isfinite(derivative_by_scale(rescale)(1.0, np.array(rows, np.float32)))


# ---------------------------------------------------------------- errors

NET = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
ZERO = np.float32(0.0)
WRONG_OUTPUT = {
    "a vector": ({"joint": ZERO, "audio": np.zeros(3, "f")}, r"'audio'.*float32.*\(3,\)"),
    "an integer": ({"joint": np.int32(0), "audio": ZERO}, "'joint'.*int32"),
    "complex": ({"joint": ZERO, "audio": np.complex64(0)}, "'audio'.*complex64"),
    "a nested dict": ({"joint": ZERO, "audio": {"a": ZERO}}, "'audio'"),
    "a list of one": ({"joint": ZERO, "audio": [ZERO]}, "'audio'"),
    "none": ({"joint": ZERO, "audio": None}, "'audio'"),
    "an array": (np.zeros(2), "dict of scalars, got a ndarray"),
    "a list": ([ZERO], "dict of scalars, got a list of 1"),
    "a pair without has_aux": (({"joint": ZERO}, 1), "dict of scalars, got a tuple of 2"),
    "empty": ({}, "empty dict"),
    "another name": (
        {"joint": ZERO, "sound": ZERO},
        "encoder 'net': no loss is called 'audio'; losses are joint, sound",
    ),
}


@pytest.mark.parametrize("case", WRONG_OUTPUT)
def test_wrong_losses_are_named_in_the_error(case):
    output, message = WRONG_OUTPUT[case]
    with pytest.raises(ValueError, match=message):
        mmp.value_and_objective_grads(lambda params: output, NET)({"net": jnp.zeros(2)})


def test_has_aux_without_auxiliary_output_is_an_error():
    losses = lambda params: {"joint": jnp.sum(params["net"]), "audio": jnp.sum(params["net"])}
    with pytest.raises(ValueError, match="must return"):
        mmp.value_and_objective_grads(losses, NET, has_aux=True)({"net": jnp.zeros(2)})


def test_stacking_names_a_missing_gradient():
    grads = {"joint": {"net": jnp.zeros(2)}, "sound": {"net": jnp.zeros(2)}}
    with pytest.raises(ValueError, match="no loss is called 'audio'; losses are joint, sound"):
        mmp.stack_objectives(grads, NET)


def test_stacking_nothing_is_an_error():
    with pytest.raises(ValueError, match="no loss"):
        mmp.stack_objectives({}, NET)


def test_integer_parameters_are_refused_as_jax_grad_refuses_them():
    params = {"net": jnp.zeros(2), "table": jnp.arange(3)}
    losses = lambda params: dict.fromkeys(("joint", "audio"), jnp.sum(params["net"]))
    with pytest.raises((TypeError, ValueError), match="int32"):
        mmp.value_and_objective_grads(losses, NET)(params)
