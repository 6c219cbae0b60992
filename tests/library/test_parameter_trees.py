"""Parameters in any tree: frozen dicts, tuples, dataclasses, and the models of Flax."""

import dataclasses
from typing import Any, NamedTuple

import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx
from flax.training.train_state import TrainState
from two_encoders import ENCODERS, GRADS, PARAMS, close, combined, run, scaled

import mmpareto_jax as mmp


class Tuple(NamedTuple):
    audio: Any
    visual: Any
    head: Any


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Dataclass:
    audio: Any
    visual: Any
    head: Any


@pytest.mark.parametrize(
    "tree",
    [lambda **leaves: flax.core.freeze(leaves), Tuple, Dataclass],
    ids=["FrozenDict", "NamedTuple", "dataclass"],
)
def test_parameters_may_be_any_pytree_with_names(tree):
    (updates,), state = run(mmp.mmpareto(ENCODERS), tree(**GRADS), params=tree(**PARAMS))
    assert jax.tree.structure(updates) == jax.tree.structure(tree(**PARAMS))
    close(updates, tree(**combined()))
    assert set(jax.eval_shape(mmp.diagnostics, state)) == set(ENCODERS)


class Net(nnx.Module):
    def __init__(self):
        for name, value in PARAMS.items():
            setattr(self, name, nnx.Param(jnp.asarray(value)))


def test_nnx_optimizer_steps_the_model():
    model = Net()
    optimizer = nnx.Optimizer(
        model, optax.chain(mmp.mmpareto(ENCODERS), optax.sgd(0.1, momentum=0.9)), wrt=nnx.Param
    )
    grads = nnx.state(model, nnx.Param)
    nnx.replace_by_pure_dict(grads, jax.tree.map(jnp.asarray, GRADS))
    step = nnx.jit(lambda model, optimizer, grads: optimizer.update(model, grads))
    for _ in range(2):
        step(model, optimizer, grads)
    # Momentum: 0.1 in the first step, 0.19 in the second.
    close(nnx.to_pure_dict(nnx.state(model, nnx.Param)), scaled(combined(), -0.29), rtol=1e-5)


class LinenNet(linen.Module):
    @linen.compact
    def __call__(self, x):
        return {m: linen.Dense(2, use_bias=False, name=m)(x) for m in ("audio", "visual")}


def test_linen_train_state_steps_the_model():
    model, x = LinenNet(), np.ones((1, 1), "f")
    state = TrainState.create(
        apply_fn=model.apply,
        params=jax.tree.map(jnp.zeros_like, model.init(jax.random.key(0), x)["params"]),
        tx=optax.chain(mmp.mmpareto(ENCODERS), optax.sgd(0.1)),
    )

    def losses(params):
        out = state.apply_fn({"params": params}, x)
        rows = {m: [jnp.sum(out[m][0] * row) for row in GRADS[m]] for m in out}
        joint = rows["audio"][0] + rows["visual"][0]
        return {"joint": joint, "audio": rows["audio"][1], "visual": rows["visual"][1]}

    @jax.jit
    def step(state):
        _, grads = mmp.value_and_objective_grads(losses, ENCODERS)(state.params)
        return state.apply_gradients(grads=grads)

    state = step(state)
    assert int(state.step) == 1
    expected = {m: {"kernel": -0.1 * combined()[m][None]} for m in ("audio", "visual")}
    close(state.params, expected)
