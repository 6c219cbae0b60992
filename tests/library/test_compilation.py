"""Aggregators under `jit`: compiled once, of fixed dtypes, and never back to the host."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from two_encoders import ENCODERS, GRADS, PARAMS, close, combined, in_dtype, run

import mmpareto_jax as mmp

AGGREGATORS = {
    "mmpareto": mmp.mmpareto(ENCODERS),
    "leaf": mmp.mmpareto(ENCODERS, rescale="leaf"),
    "scheduled": mmp.mmpareto(ENCODERS, gamma=optax.linear_schedule(1.0, 2.0, 4)),
    "scheduled leaf": mmp.mmpareto(
        ENCODERS, gamma=optax.linear_schedule(1.0, 2.0, 4), rescale="leaf"
    ),
    "injected": optax.inject_hyperparams(mmp.mmpareto)(encoders=ENCODERS, gamma=1.5),
    "min_norm": mmp.aggregate(mmp.weightings.min_norm(), ENCODERS),
    "uniform": mmp.aggregate(mmp.weightings.uniform(2.0), ENCODERS),
}
aggregators = pytest.mark.parametrize("tx", AGGREGATORS.values(), ids=AGGREGATORS.keys())
dtypes = pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "float64"])


@aggregators
def test_the_second_step_does_not_recompile(tx):
    tx, traces = optax.chain(tx, optax.sgd(0.1, momentum=0.9)), []

    @jax.jit
    def step(params, state, grads):
        traces.append(None)
        updates, state = tx.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    params = in_dtype(PARAMS, "float32")
    state = tx.init(params)
    for _ in range(3):
        params, state = step(params, state, GRADS)
    assert len(traces) == 1


@dtypes
@aggregators
def test_the_state_keeps_its_structure_shapes_and_dtypes(tx, dtype):
    with jax.enable_x64(dtype == "float64"):
        params, grads = in_dtype(PARAMS, dtype), in_dtype(GRADS, dtype)
        before = jax.eval_shape(tx.init, params)
        _, after = jax.eval_shape(tx.update, grads, before, params)
        assert before == after


@dtypes
@aggregators
def test_updates_have_the_dtype_of_their_gradients(tx, dtype):
    with jax.enable_x64(dtype == "float64"):
        params, grads = in_dtype(PARAMS, dtype), in_dtype(GRADS, dtype)
        updates, _ = jax.eval_shape(tx.update, grads, jax.eval_shape(tx.init, params), params)
        chex.assert_trees_all_equal_shapes_and_dtypes(updates, params)


@dtypes
@aggregators
def test_no_dtype_is_promoted_implicitly(tx, dtype):
    with jax.enable_x64(dtype == "float64"), jax.numpy_dtype_promotion("strict"):
        params, grads = in_dtype(PARAMS, dtype), in_dtype(GRADS, dtype)
        state = jax.eval_shape(tx.init, params)
        _, state = jax.eval_shape(tx.update, grads, state, params)
        jax.eval_shape(mmp.diagnostics, state)


@dtypes
def test_no_dtype_of_gradients_is_promoted_implicitly(dtype):
    params = {"audio": np.zeros(2), "visual": np.zeros(2)}

    def losses(params):
        values = {m: jnp.sum(jnp.sin(params[m])) for m in params}
        return values | {"joint": values["audio"] * values["visual"]}

    with jax.enable_x64(dtype == "float64"), jax.numpy_dtype_promotion("strict"):
        compute = mmp.value_and_objective_grads(losses, ENCODERS)
        jax.eval_shape(compute, in_dtype(params, dtype))


def test_float64_gradients_are_integrated_in_float64():
    with jax.enable_x64(True):
        params, grads = in_dtype(PARAMS, "float64"), in_dtype(GRADS, "float64")
        (updates,), state = run(mmp.mmpareto(ENCODERS), grads, params=params)
        close(updates, combined(), rtol=1e-14)
        found = jax.eval_shape(mmp.diagnostics, state)["visual"]
        assert found.gramian.dtype == jnp.float64


def test_an_encoder_may_mix_dtypes():
    grads = {"visual": {"x": GRADS["visual"][:, 0], "y": jnp.bfloat16(GRADS["visual"][:, 1])}}
    params = {"visual": {"x": np.float32(0), "y": jnp.bfloat16(0)}}
    (updates,), _ = run(mmp.mmpareto({"visual": ENCODERS["visual"]}), grads, params=params)
    assert updates["visual"]["y"].dtype == jnp.bfloat16
    close(updates["visual"]["x"], combined()["visual"][0])


def primitives(jaxpr):
    """The names of all primitives, those of inner jaxprs included."""
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for inner in jax.tree.leaves(equation.params):
            if hasattr(inner, "eqns"):
                yield from primitives(inner)


def test_the_primitives_of_inner_jaxprs_are_listed():
    def step(x):
        return jax.lax.cond(x > 0, jax.jit(jnp.sin), jnp.cos, x)

    assert {"sin", "cos", "gt"} <= set(primitives(jax.make_jaxpr(step)(1.0)))


@pytest.mark.parametrize("num_objectives", [2, 3])
def test_a_step_never_calls_back_to_the_host(num_objectives):
    tx = mmp.mmpareto(num_objectives=num_objectives)

    def step(params):
        losses = lambda p: {f"objective {i}": jnp.sum(p**i) for i in range(num_objectives)}
        everything = {"all": mmp.Encoder(params="", objectives=tuple(losses(params)))}
        _, grads = mmp.value_and_objective_grads(losses, everything)(params)
        updates, state = tx.update(grads, tx.init(params), params)
        return updates, mmp.diagnostics(state)

    names = set(primitives(jax.make_jaxpr(step)(jnp.ones(3)).jaxpr))
    assert "reduce_sum" in names
    assert not {name for name in names if "callback" in name or "infeed" in name}
