"""Objective gradients of Flax networks with dropout, batch statistics and checkpointing."""

from collections.abc import Callable
from typing import Any, NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compiling import flops_of
from flax import linen, nnx
from objective_grads import MODALITIES, stack, top_level

import mmpareto_jax as mmp


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
        network, values, stats, grads, reference(*args)[2], flops_of(library), flops_of(reference)
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


def test_flops_are_at_most_those_of_separate_gradients(compiled):
    assert compiled.flops <= compiled.separate_flops


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
