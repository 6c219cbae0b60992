"""Aggregators in use: in chains and wrappers, with other parameter trees, with bad gradients."""

import dataclasses
import pathlib
import subprocess
import sys
from functools import cache
from typing import Any, NamedTuple

import chex
import flax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen, nnx
from flax.training.train_state import TrainState
from optax.experimental import aggregating

import mmpareto_jax as mmp

ENCODERS = {
    "audio": mmp.Encoder(params="audio", objectives=("joint", "audio")),
    "visual": mmp.Encoder(params="visual", objectives=("joint", "visual")),
}
# The gradients of `audio` agree, those of `visual` conflict; `head` is in no encoder.
PARAMS = {"audio": np.zeros(2, "f"), "visual": np.zeros(2, "f"), "head": np.zeros(3, "f")}
GRADS = {
    "audio": np.array([[1.0, 2.0], [3.0, 0.5]], "f"),
    "visual": np.array([[1.0, 0.0], [-1.0, 1.0]], "f"),
    "head": np.array([1.0, -2.0, 3.0], "f"),
}


def combined(gamma=1.5):
    """What MMPareto makes of `GRADS`.

    audio: no conflict, gamma (4, 2.5). visual: 2 alpha = (1.2, 0.8), so h' = (0.4, 0.8) of norm
    sqrt(0.8), while the sum is (0, 1) of norm one: gamma (0.4, 0.8) / sqrt(0.8).
    """
    return {
        "audio": gamma * np.array([4.0, 2.5]),
        "visual": gamma * np.array([0.4, 0.8]) / np.sqrt(0.8),
        "head": np.array([1.0, -2.0, 3.0]),
    }


def scaled(tree, factor):
    return jax.tree.map(lambda leaf: factor * leaf, tree)


def close(actual, expected, rtol=1e-6):
    actual = jax.tree.map(np.asarray, actual)
    expected = jax.tree.map(lambda e, a: np.asarray(e, a.dtype), expected, actual)
    chex.assert_trees_all_close(actual, expected, rtol=rtol, atol=rtol)


def run(tx, *stream, params=PARAMS):
    """The updates of each step on a stream of gradients, and the last state."""
    update, state, updates = jax.jit(tx.update), tx.init(params), []
    for grads in stream:
        update_now, state = update(grads, state, params)
        updates.append(update_now)
    return updates, state


# ---------------------------------------------------------------- chains


def test_each_encoder_is_combined_and_other_leaves_pass():
    (updates,), _ = run(mmp.mmpareto(ENCODERS), GRADS)
    close(updates, combined())
    chex.assert_trees_all_equal(updates["head"], GRADS["head"])


@pytest.mark.parametrize(
    "optimizer",
    [
        optax.sgd(0.1),
        optax.sgd(0.1, momentum=0.9, nesterov=True),
        optax.adam(1e-3),
        optax.adamw(1e-3, weight_decay=0.1),
        optax.inject_hyperparams(optax.sgd)(learning_rate=0.1),
        optax.MultiSteps(optax.sgd(0.1), every_k_schedule=2).gradient_transformation(),
        optax.apply_if_finite(optax.sgd(0.1), max_consecutive_errors=3),
    ],
    ids=["sgd", "momentum", "adam", "adamw", "inject_hyperparams", "MultiSteps", "apply_if_finite"],
)
@pytest.mark.usefixtures("optax_promotes")
def test_an_optimizer_after_the_aggregator_sees_the_combined_gradient(optimizer):
    tx = optax.chain(mmp.mmpareto(ENCODERS), optimizer)
    stream = [GRADS, scaled(GRADS, 2.0), GRADS]
    updates, _ = run(tx, *stream)
    expected, _ = run(optimizer, *(scaled(combined(), s) for s in (1.0, 2.0, 1.0)))
    for step in range(3):
        close(updates[step], expected[step], rtol=1e-5)


def test_process_of_optax_takes_the_aggregator():
    tx = aggregating.process(optax.scale(2.0), mmp.mmpareto(ENCODERS), optax.sgd(0.1))
    (updates,), state = run(tx, GRADS)
    assert isinstance(tx, aggregating.Aggregator)
    close(updates, scaled(combined(), -0.2))
    assert set(jax.eval_shape(mmp.diagnostics, state)) == set(ENCODERS)


@pytest.mark.parametrize(
    "tx",
    [
        mmp.mmpareto(ENCODERS),
        mmp.mmpareto(ENCODERS, rescale="leaf"),
        mmp.aggregate(mmp.weightings.uniform(), ENCODERS),
    ],
)
def test_every_factory_returns_an_aggregator(tx):
    assert isinstance(tx, aggregating.Aggregator)


@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
def test_a_schedule_gives_gamma_at_each_step(rescale):
    # One tensor per encoder: both rules are the same.
    schedule = optax.linear_schedule(1.0, 2.0, transition_steps=4)
    updates, _ = run(mmp.mmpareto(ENCODERS, gamma=schedule, rescale=rescale), *[GRADS] * 6)
    for update, gamma in zip(updates, [1.0, 1.25, 1.5, 1.75, 2.0, 2.0], strict=True):
        close(update, combined(gamma))


def test_gamma_can_be_an_injected_hyper_parameter():
    tx = optax.inject_hyperparams(mmp.mmpareto)(encoders=ENCODERS, gamma=1.5)
    state, update = tx.init(PARAMS), jax.jit(tx.update)
    first, state = update(GRADS, state, PARAMS)
    state.hyperparams["gamma"] = jnp.asarray(3.0)
    second, _ = update(GRADS, state, PARAMS)
    close(first, combined(1.5))
    close(second, combined(3.0))


def test_an_injected_gamma_can_follow_a_schedule():
    schedule = optax.linear_schedule(1.0, 2.0, transition_steps=2)
    tx = optax.inject_hyperparams(mmp.mmpareto)(encoders=ENCODERS, gamma=schedule)
    updates, _ = run(tx, GRADS, GRADS, GRADS)
    for update, gamma in zip(updates, [1.0, 1.5, 2.0], strict=True):
        close(update, combined(gamma))


def test_gamma_can_be_injected_without_encoders():
    inject = optax.inject_hyperparams(mmp.mmpareto, static_args="num_objectives")
    (update,), _ = run(inject(gamma=2.0), GRADS["visual"], params=PARAMS["visual"])
    close(update, combined(2.0)["visual"])


def test_optax_finds_the_parameter_like_parts_of_the_state():
    tx = optax.chain(mmp.mmpareto(ENCODERS), optax.sgd(0.1, momentum=0.9))
    marked = optax.tree_map_params(tx, lambda leaf: "param", tx.init(PARAMS))
    assert jax.tree.leaves(marked).count("param") == len(PARAMS)


# ---------------------------------------------------------------- encoders


def test_encoders_may_have_different_numbers_of_objectives():
    encoders = {
        "one": mmp.Encoder(params="audio", objectives=("joint",)),
        "two": mmp.Encoder(params="visual", objectives=("joint", "visual")),
        "four": mmp.Encoder(params="head", objectives=("joint", "audio", "visual", "depth")),
    }
    grads = {
        "audio": np.array([[1.0, 2.0]], "f"),
        "visual": GRADS["visual"],
        "head": np.array([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 3.0], [1, 1, 1]], "f"),
    }
    (updates,), _ = run(mmp.mmpareto(encoders), grads)
    expected = {
        "audio": 1.5 * np.array([1.0, 2.0]),
        "visual": combined()["visual"],
        "head": 1.5 * np.array([2.0, 3.0, 4.0]),
    }
    close(updates, expected)


def test_without_encoders_the_whole_tree_is_one():
    tx = mmp.mmpareto(num_objectives=3)
    grads = {"a": np.eye(3, dtype="f")[:, :2], "b": np.eye(3, dtype="f")[:, 2]}
    params = {"a": np.zeros(2, "f"), "b": np.float32(0)}
    (update,), state = run(tx, grads, params=params)
    close(update, {"a": np.full(2, 1.5), "b": np.array(1.5)})
    assert list(jax.eval_shape(mmp.diagnostics, state)) == ["all"]


def test_no_encoder_at_all_changes_nothing():
    (updates,), _ = run(mmp.mmpareto({}), PARAMS)
    chex.assert_trees_all_equal(updates, PARAMS)


def test_params_may_be_absent_from_update():
    tx = mmp.mmpareto(ENCODERS)
    close(tx.update(GRADS, tx.init(PARAMS))[0], combined())


def test_an_encoder_of_several_tensors_has_one_gramian():
    split = {"visual": {"x": GRADS["visual"][:, 0], "y": GRADS["visual"][:, 1:]}}
    params = {"visual": {"x": np.float32(0), "y": np.zeros(1, "f")}}
    (updates,), _ = run(mmp.mmpareto({"visual": ENCODERS["visual"]}), split, params=params)
    expected = combined()["visual"]
    close(updates, {"visual": {"x": expected[0], "y": expected[1:]}})


def emphasize_largest_loss():
    """A user's weighting: all weight on the objective with the largest loss, and a counter."""

    def init(num_objectives):
        return jnp.zeros(num_objectives, jnp.int32)

    def update(gramian, counts, *, losses, **extra):
        chosen = (losses == jnp.max(losses)).astype(gramian.dtype)
        return chosen, counts + chosen.astype(counts.dtype)

    return mmp.Weighting(init, update)


def test_a_users_weighting_gets_the_losses_and_keeps_its_state():
    tx = optax.chain(mmp.aggregate(emphasize_largest_loss(), ENCODERS), optax.sgd(1.0))
    state = tx.init(PARAMS)
    for joint, row in ((2.0, 0), (0.5, 1), (3.0, 0)):
        losses = {
            "visual": jnp.asarray(1.0),
            "audio": jnp.asarray(9.0),
            "joint": jnp.asarray(joint),
        }
        updates, state = tx.update(GRADS, state, PARAMS, losses=losses)
        close(updates["visual"], -GRADS["visual"][row])
    counts = state[0].partition.inner_states["visual"].inner_state.weighting
    assert counts.tolist() == [2, 1]


def test_losses_without_encoders_are_an_array_in_the_order_of_the_rows():
    tx = mmp.aggregate(emphasize_largest_loss())
    params, grads = {"visual": PARAMS["visual"]}, {"visual": GRADS["visual"]}
    updates, _ = tx.update(grads, tx.init(params), params, losses=jnp.array([1.0, 2.0]))
    close(updates["visual"], GRADS["visual"][1])


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({"joint": 1.0, "audio": 1.0}, "losses has no 'visual'.* it has joint, audio"),
        (np.ones(3, "f"), r"an array of shape \(2,\), got shape \(3,\)"),
        ({"joint": np.ones(2, "f"), "audio": np.ones(2, "f")}, r"'joint'\] must be a real scalar"),
    ],
)
def test_losses_that_do_not_fit_the_objectives_are_named(losses, message):
    tx = mmp.aggregate(emphasize_largest_loss(), ENCODERS)
    with pytest.raises(ValueError, match=message):
        tx.update(GRADS, tx.init(PARAMS), PARAMS, losses=losses)


@pytest.mark.parametrize("bad", ["gradient", "loss"])
def test_a_bad_step_leaves_the_state_of_the_weighting_alone(bad):
    tx = mmp.aggregate(emphasize_largest_loss(), ENCODERS)
    state = tx.init(PARAMS)
    nan = jnp.asarray(np.nan)
    losses = {name: nan if bad == "loss" else jnp.ones(()) for name in ("joint", "audio", "visual")}
    grads = scaled(GRADS, nan) if bad == "gradient" else GRADS
    _, state = tx.update(grads, state, PARAMS, losses=losses)
    for encoder in ENCODERS:
        counts = state.partition.inner_states[encoder].inner_state.weighting
        assert counts.tolist() == [0, 0]


# ---------------------------------------------------------------- parameter trees


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


# ---------------------------------------------------------------- dtypes and compilation

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


def in_dtype(tree, dtype):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)


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


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_dtype_of_the_solver_is_promoted_implicitly(count, dtype):
    with jax.enable_x64(dtype == "float64"), jax.numpy_dtype_promotion("strict"):
        weights = jax.eval_shape(mmp.min_norm_weights, jnp.eye(count, dtype=dtype))
        assert weights.dtype == dtype


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


def test_importing_the_library_imports_jax_and_optax_only():
    program = """
import sys
import jax, optax
from optax.experimental import aggregating
before = set(sys.modules)
import mmpareto_jax
new = {name.partition(".")[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)
print(*sorted(new - {"jax", "jaxlib", "optax"}))
"""
    command = [sys.executable, "-W", "error", "-c", program]
    root = pathlib.Path(mmp.__file__).parents[1]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["mmpareto_jax"]


# ---------------------------------------------------------------- bad gradients


@cache
def update_of_two_tensors(rescale):
    tx = mmp.mmpareto(ENCODERS, rescale=rescale)
    params = PARAMS | {"visual": {"x": np.zeros(2, "f"), "y": np.zeros(2, "f")}}
    return jax.jit(lambda grads: tx.update(grads, tx.init(params), params)[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
@pytest.mark.parametrize("row", [0, 1])
@pytest.mark.parametrize("tensor", ["x", "y"])
def test_a_bad_gradient_spoils_its_whole_encoder_and_no_other(bad, rescale, row, tensor):
    visual = {"x": GRADS["audio"].copy(), "y": GRADS["audio"].copy()}
    visual[tensor][row, 0] = bad
    updates = update_of_two_tensors(rescale)(GRADS | {"visual": visual})
    close(updates["audio"], combined()["audio"])
    close(updates["head"], combined()["head"])
    assert not np.isfinite([updates["visual"]["x"], updates["visual"]["y"]]).any()


def test_a_step_after_a_bad_gradient_is_sound():
    bad = GRADS | {"visual": np.full((2, 2), np.nan, "f")}
    (_, after), _ = run(mmp.mmpareto(ENCODERS), bad, GRADS)
    close(after, combined())


def test_apply_if_finite_skips_a_bad_step():
    tx = optax.chain(mmp.mmpareto(ENCODERS), optax.apply_if_finite(optax.sgd(1.0), 3))
    bad = GRADS | {"visual": np.full((2, 2), np.inf, "f")}
    (skipped, after), state = run(tx, bad, GRADS)
    chex.assert_trees_all_equal(skipped, jax.tree.map(jnp.zeros_like, PARAMS))
    close(after, scaled(combined(), -1.0))
    assert int(state[1].total_notfinite) == 1


@pytest.mark.parametrize("with_params", [True, False])
def test_a_missing_objective_axis_is_named(with_params):
    tx = mmp.mmpareto(ENCODERS)
    grads = GRADS | {"visual": np.zeros(3, "f")}
    params = PARAMS | {"visual": np.zeros(3, "f")}
    message = r"encoder 'visual': the gradient of 'visual' has shape \(3,\), expected \(2, "
    with pytest.raises(ValueError, match=message):
        tx.update(grads, tx.init(params), params if with_params else None)


def test_a_missing_objective_axis_is_seen_where_the_first_axis_has_its_length():
    tx = mmp.mmpareto(ENCODERS)
    with pytest.raises(ValueError, match=r"'visual' has shape \(2,\), expected \(2, 2\)"):
        tx.update(GRADS | {"visual": np.zeros(2, "f")}, tx.init(PARAMS), PARAMS)


def test_a_scalar_gradient_is_named():
    tx, params = mmp.mmpareto(), {"net": {"w": jnp.zeros(())}}
    with pytest.raises(ValueError, match=r"'net/w' has shape \(\), expected \(2,"):
        tx.update(params, tx.init(params))


@pytest.mark.parametrize("gamma", [0, 0.0, -1.5, float("nan"), float("inf"), np.float32(-1.0)])
@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
def test_gamma_must_be_positive_and_finite(gamma, rescale):
    with pytest.raises(ValueError, match="gamma must be positive and finite"):
        mmp.mmpareto(ENCODERS, gamma=gamma, rescale=rescale)


def test_an_unknown_rescale_is_named():
    with pytest.raises(ValueError, match='"encoder" or "leaf", got \'tensor\''):
        mmp.mmpareto(ENCODERS, rescale="tensor")


def test_a_state_can_be_donated_whatever_the_weighting():
    def init(num_objectives):
        zeros = jnp.zeros(num_objectives)
        return {"one": zeros, "other": zeros}  # one buffer, twice

    weighting = mmp.Weighting(
        init=init, update=lambda gramian, state, **extra: (jnp.ones(len(gramian)), state)
    )
    tx = mmp.aggregate(weighting)
    step = jax.jit(lambda state, grads: tx.update(grads, state), donate_argnums=0)
    updates, _ = step(tx.init(jnp.zeros(3)), jnp.ones((2, 3)))
    np.testing.assert_array_equal(updates, 2)
