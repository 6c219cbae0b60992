"""What every public function says to input that it cannot use: one line that names the culprit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mmpareto_jax as mmp

NET = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
PARAMS = {"net": np.ones(2, "f"), "head": np.ones(1, "f")}
GRADS = {"net": np.ones((2, 2), "f"), "head": np.ones(1, "f")}


def losses(params):
    total = sum(jnp.sum(leaf) for leaf in jax.tree.leaves(params) if hasattr(leaf, "astype"))
    return {"joint": total, "audio": 2 * total}


def with_aux(params):
    return losses(params), "seen"


def grads_of(params, function=losses, **kwargs):
    return mmp.value_and_objective_grads(function, NET, **kwargs)(params)


def integrated(params, function=losses, state=None, **kwargs):
    integrator = mmp.integrate(function, NET, mmp.weightings.uniform(), **kwargs)
    return integrator.value_and_grad(params, state or integrator.init(PARAMS))


def updated(grads, params=PARAMS, tx=None, **extra):
    tx = tx or mmp.mmpareto(NET)
    return tx.update(grads, tx.init(PARAMS), params, **extra)


def tracked(grads):
    tx = mmp.track_gradients(NET)
    state = tx.init({"net": dict.fromkeys("ab", np.ones(2, "f")), "head": np.ones(1, "f")})
    return tx.update({"net": grads, "head": np.ones(1, "f")}, state)


def accumulated(function, micro_batches=2, size=4, **kwargs):
    return mmp.accumulate(function, micro_batches, **kwargs)(PARAMS, {"x": np.ones(size, "f")})


def wrong_weights(gramian, state, **extra):
    return jnp.ones(3), state


BAD_LEAVES = {
    "an integer": (np.arange(3), "parameter 'net/table' is of type int64, which has no gradient"),
    "a bool": (np.ones(3, bool), "parameter 'net/table' is of type bool"),
    "a key": (jax.random.key(0), r"parameter 'net/table' is of type key<fry>"),
    "a struct": (
        jax.ShapeDtypeStruct((2,), np.float32),
        "parameter 'net/table' is of type ShapeDtypeStruct, expected an array",
    ),
    "a string": ("w", "parameter 'net/table' is of type str, expected an array"),
}


@pytest.mark.parametrize("case", BAD_LEAVES)
@pytest.mark.parametrize("call", [grads_of, integrated])
def test_a_leaf_without_gradient_is_named(call, case):
    leaf, message = BAD_LEAVES[case]
    params = {"net": {"w": np.ones(2, "f"), "table": leaf}}
    with pytest.raises(ValueError, match=message):
        call(params)


ENCODER_USERS = {
    "value_and_objective_grads": lambda encoders: mmp.value_and_objective_grads(losses, encoders),
    "stack_objectives": lambda encoders: mmp.stack_objectives({"joint": PARAMS}, encoders),
    "aggregate": lambda encoders: mmp.aggregate(mmp.weightings.uniform(), encoders),
    "mmpareto": mmp.mmpareto,
    "grad_drop": mmp.grad_drop,
    "trimmed_mean": mmp.trimmed_mean,
    "track_gradients": mmp.track_gradients,
    "integrate": lambda encoders: mmp.integrate(losses, encoders, mmp.weightings.uniform()),
}


@pytest.mark.parametrize("name", ENCODER_USERS)
@pytest.mark.parametrize(
    ("encoders", "message"),
    [
        ([NET["net"]], "got list"),
        (NET["net"], "got Encoder"),
        ({"net": "net"}, "got 'net': a str"),
        ({1: NET["net"]}, "got 1: a Encoder"),
    ],
)
def test_encoders_are_a_dict_from_names_to_encoders(name, encoders, message):
    with pytest.raises(
        ValueError, match="encoders must be a dict from names to Encoder, " + message
    ):
        ENCODER_USERS[name](encoders)


WRONG = {
    "empty tree, gradients": (lambda: grads_of({}), "there are no parameters: the tree is empty"),
    "empty tree, integrate": (lambda: integrated({}), "there are no parameters: the tree is empty"),
    "empty tree, update": (
        lambda: updated({}, None),
        "matches no parameter; paths are none, since the tree is empty",
    ),
    "empty tree, no encoders": (
        lambda: mmp.mmpareto().update({}, mmp.mmpareto().init({})),
        "encoder 'all' matches no parameter; paths are none",
    ),
    "aux promised, gradients": (
        lambda: grads_of(PARAMS, has_aux=True),
        r"losses must return a pair \(dict of scalars, auxiliary output\), got dict",
    ),
    "aux promised, integrate": (
        lambda: integrated(PARAMS, has_aux=True),
        "has_aux=True: losses must return a pair .* got dict",
    ),
    "aux of three": (
        lambda: grads_of(PARAMS, lambda params: (losses(params), 1, 2), has_aux=True),
        "has_aux=True: losses must return a pair .* got tuple of 3",
    ),
    "aux not promised": (
        lambda: grads_of(PARAMS, with_aux),
        "losses must return a dict of scalars, got tuple of 2",
    ),
    "accumulate, aux not promised": (
        lambda: accumulated(lambda params, batch: (((1.0, 2.0)), params)),
        "for auxiliary output pass has_aux=True to accumulate",
    ),
    "accumulate, aux promised": (
        lambda: accumulated(lambda params, batch: ({"joint": 1.0}, params), has_aux=True),
        r"must return \(\(values, aux\), grads\), got dict",
    ),
    "accumulate, an integrator": (
        lambda: accumulated(lambda params, batch: (1.0, params, ())),
        r"must return \(values, grads\), got tuple of 3",
    ),
    "accumulate, an odd batch": (
        lambda: accumulated(lambda params, batch: (1.0, params), size=3),
        r"batch 'x' of shape \(3,\) cannot be split into 2",
    ),
    "accumulate, half a batch": (
        lambda: mmp.accumulate(losses, 1.5),
        "micro_batches must be an integer, got 1.5",
    ),
    "no state": (
        lambda: integrated(PARAMS, state={"x": 1}),
        "got dict for the state",
    ),
    "losses without text names": (
        lambda: grads_of(PARAMS, lambda params: {1: losses(params)["joint"]}),
        "no loss is called 'joint'; losses are 1",
    ),
    "integer gradients": (
        lambda: updated({"net": np.ones((2, 2), int), "head": np.ones(1, "f")}),
        "the gradient of 'net' is of type int64, expected floating-point",
    ),
    "an integer gradient in no encoder": (
        lambda: updated(GRADS | {"head": np.ones(1, int)}, None),
        "the gradient of 'head' is of type int64, expected floating-point",
    ),
    "a complex gradient of a real parameter": (
        lambda: updated(GRADS | {"net": np.ones((2, 2), "F")}),
        "the gradient of 'net' is of type complex64, but its parameter is of type float32",
    ),
    "a complex gradient of a real parameter in no encoder": (
        lambda: updated(GRADS | {"head": np.ones(1, "F")}),
        "the gradient of 'head' is of type complex64, but its parameter is of type float32",
    ),
    "a gradient of text in an array": (
        lambda: updated(GRADS | {"net": np.full((2, 2), "x")}, None),
        "the gradient of 'net' is of type <U1, expected floating-point",
    ),
    "a gradient of a dtype that JAX lacks": (
        lambda: updated(GRADS | {"head": np.ones(1, object)}, None),
        "the gradient of 'head' is of type object, expected floating-point",
    ),
    "a gradient that JAX gives to integers": (
        lambda: updated(GRADS | {"net": np.zeros((2, 2), jax.dtypes.float0)}, None),
        "the gradient of 'net' is of type float0, expected floating-point",
    ),
    "a number for the gradients of a number": (
        lambda: updated(np.float32(1), np.float32(1), mmp.mmpareto()),
        r"has shape \(\), expected \(2,\), one row",
    ),
    "tracked, a gradient is missing": (
        lambda: tracked({"a": np.ones((2, 2), "f")}),
        "the state has 'net/b', which the tree of gradients lacks",
    ),
    "tracked, a gradient is none": (
        lambda: tracked({"a": np.ones((2, 2), "f"), "b": None}),
        "the state has 'net/b', which the tree of gradients lacks",
    ),
    "tracked, a gradient too many": (
        lambda: tracked({name: np.ones((2, 2), "f") for name in "abc"}),
        "the tree of gradients has 'net/c', which the state lacks",
    ),
    "tracked, a gradient of another shape": (
        lambda: tracked({"a": np.ones((2, 2), "f"), "b": np.ones((2, 5), "f")}),
        r"the gradient of 'net/b' has shape \(2, 5\), expected \(2, 2\)",
    ),
    "tracked, a complex gradient of a real parameter": (
        lambda: tracked({"a": np.ones((2, 2), "f"), "b": np.ones((2, 2), "F")}),
        "the gradient of 'net/b' is of type complex64, but its parameter is real",
    ),
    "a struct for a gradient": (
        lambda: updated(GRADS | {"net": jax.ShapeDtypeStruct((2, 2), "f")}),
        "the gradient of 'net' is of type ShapeDtypeStruct, expected an array",
    ),
    "a text for a gradient in no encoder": (
        lambda: updated(GRADS | {"head": "x"}, None),
        "the gradient of 'head' is of type str, expected an array",
    ),
    "a gradient is missing": (
        lambda: updated({"net": GRADS["net"]}),
        "the tree of parameters has 'head', which the tree of gradients lacks",
    ),
    "a gradient is none": (
        lambda: updated(GRADS | {"head": None}),
        "the tree of parameters has 'head', which the tree of gradients lacks",
    ),
    "a gradient too many": (
        lambda: updated(GRADS | {"tail": np.ones(1, "f")}),
        "the tree of gradients has 'tail', which the tree of parameters lacks",
    ),
    "stacked in no encoder": (
        lambda: updated(GRADS | {"head": np.ones((2, 1), "f")}),
        r"the gradient of 'head' has shape \(2, 1\), expected \(1,\), since it is in no encoder",
    ),
    "wrong K": (
        lambda: updated(np.ones((3, 2), "f"), np.ones(2, "f"), mmp.mmpareto()),
        r"the gradient of \(the whole tree\) has shape \(3, 2\), expected \(2, 2\)",
    ),
    "an integer as the whole tree": (
        lambda: mmp.value_and_objective_grads(losses, NET)(np.arange(3)),
        r"parameter \(the whole tree\) is of type int64, which has no gradient",
    ),
    "gradients of other trees": (
        lambda: mmp.stack_objectives({"joint": PARAMS, "audio": {"net": PARAMS["net"]}}, NET),
        "the gradient of 'joint' has 'head', which that of 'audio' lacks",
    ),
    "no objective": (
        lambda: mmp.mmpareto(num_objectives=0),
        "num_objectives must be at least 1, got 0",
    ),
    "gamma": (lambda: mmp.mmpareto(gamma=float("nan")), "gamma must be positive"),
    "a factory, aggregate": (
        lambda: mmp.aggregate(mmp.weightings.min_norm, NET),
        r"weighting must be a Weighting, got function: call it, min_norm\(\)",
    ),
    "a factory, integrate": (
        lambda: mmp.integrate(losses, NET, mmp.weightings.min_norm),
        r"weighting must be a Weighting, got function: call it, min_norm\(\)",
    ),
    "a number": (lambda: mmp.aggregate(3, NET), "must be a Weighting, got int$"),
    "a name": (lambda: mmp.aggregate("min_norm", NET), "must be a Weighting, got str"),
    "weights of another length": (
        lambda: updated(GRADS, tx=mmp.aggregate(mmp.Weighting(lambda k: (), wrong_weights), NET)),
        r"weights of shape \(3,\), expected \(2,\)",
    ),
    "the state of another": (
        lambda: mmp.mmpareto(NET).update(GRADS, (), PARAMS),
        "update takes the state from init, got tuple of 0",
    ),
    "gradients of other shapes": (
        lambda: mmp.stack_objectives(
            {"joint": PARAMS, "audio": PARAMS | {"net": np.ones(3, "f")}}, NET
        ),
        r"the gradients of 'net' have shapes \[\(2,\), \(3,\)\], expected one shape",
    ),
    "gradients of other shapes, in no encoder": (
        lambda: mmp.stack_objectives(
            {"joint": PARAMS, "audio": PARAMS | {"head": np.ones(3, "f")}}, NET
        ),
        "the gradients of 'head' have shapes",
    ),
    "a loss of several": (
        lambda: updated(GRADS, losses={"joint": np.ones((2, 2)), "audio": 1.0}),
        r"losses\['joint'\] must be a real scalar, got shape \(2, 2\)",
    ),
    "a loss that is a text": (
        lambda: updated(GRADS, losses={"joint": 1.0, "audio": "x"}),
        r"losses\['audio'\] is of type str, expected an array",
    ),
    "losses that are a text": (
        lambda: updated(GRADS, losses="xy"),
        "losses is of type str, expected an array",
    ),
    "a parameter that is a text": (
        lambda: mmp.mmpareto(NET).init(PARAMS | {"head": "x"}),
        "parameter 'head' is of type str, expected an array",
    ),
    "a parameter that is a function": (
        lambda: mmp.track_gradients(NET).init(PARAMS | {"net": len}),
        "parameter 'net' is of type builtin_function_or_method, expected an array",
    ),
    "no loss": (
        lambda: updated(GRADS, losses={"joint": 1.0, "audio": None}),
        r"losses\['audio'\] must be a real scalar, got None",
    ),
    "a complex loss": (
        lambda: updated(GRADS, losses={"joint": 1.0, "audio": 1j}),
        "losses must be real floating-point numbers, got complex",
    ),
    "a gradient that is no array": (
        lambda: updated(GRADS | {"net": "x"}, None),
        "the gradient of 'net' is of type str, expected an array",
    ),
    "a gradient that is an integer": (
        lambda: updated(GRADS | {"net": 3}, None),
        "the gradient of 'net' is of type int32, expected floating-point numbers",
    ),
    "a masked gradient": (
        lambda: updated(GRADS | {"net": np.ma.masked_array(np.ones((2, 2), "f"), mask=True)}),
        "the gradient of 'net': numpy masked arrays are not supported",
    ),
    "a masked gradient to stack": (
        lambda: mmp.stack_objectives(
            {"joint": PARAMS, "audio": PARAMS | {"net": np.ma.masked_array(np.ones(2, "f"))}},
            NET,
        ),
        "the gradient of 'audio' for 'net': numpy masked arrays are not supported",
    ),
    "a masked gradient that is tracked": (
        lambda: tracked({"a": np.ma.masked_array(np.ones((2, 2), "f")), "b": np.ones((2, 2), "f")}),
        "the gradient of 'net/a': numpy masked arrays are not supported",
    ),
    "a gradient that is one number": (
        lambda: updated(GRADS | {"net": 1.0}, None),
        r"the gradient of 'net' has shape \(\), expected \(2, \*shape\)",
    ),
    "a loss in words": (
        lambda: grads_of(PARAMS, lambda params: losses(params) | {"audio": "x"}),
        "loss 'audio' must be a real scalar, got str",
    ),
    "accumulate, aux in words": (
        lambda: accumulated(lambda params, batch: ((1.0, {"a": "x"}), params), has_aux=True),
        "auxiliary output 'a' is of type str, expected an array",
    ),
    "a hyper-parameter in words": (
        lambda: mmp.weightings.cagrad("x"),
        "c must be finite and at least 0, got 'x'",
    ),
    "no hyper-parameter": (lambda: mmp.mmpareto(gamma=None), "gamma must be positive.*got None"),
    "no iterations": (
        lambda: mmp.weightings.sdmgrad(iterations=-3),
        "iterations must be at least 1, got -3",
    ),
    "half an iteration": (
        lambda: mmp.weightings.sdmgrad(iterations=2.5),
        "iterations must be an integer, got 2.5",
    ),
    "a leak above one": (lambda: mmp.grad_drop(leak=(0.5, 5.0)), r"leak must be in \[0, 1\]"),
    "a set of objectives": (
        lambda: mmp.Encoder("net", {"joint"}),
        "objectives must be a tuple of names, got {'joint'}",
    ),
    "an axis that is not mapped": (
        lambda: grads_of(PARAMS, average_over="data"),
        "'data' is not a mapped axis here",
    ),
    "an axis that is not mapped, aggregate": (
        lambda: updated(GRADS, tx=mmp.mmpareto(NET, axis_name="data")),
        "'data' is not a mapped axis here",
    ),
    "no prefix": (lambda: mmp.Encoder(None, ("joint",)), "params must be a path prefix.* got None"),
    "a number as prefix": (lambda: mmp.Encoder((1,), ("joint",)), r"got \(1,\)"),
    "an axis for both": (
        lambda: mmp.mmpareto(NET, axis_name="data", average_over=("data", "x")),
        "axis_name and average_over share 'data'",
    ),
    "an axis for both, integrate": (
        lambda: mmp.integrate(
            losses, NET, mmp.weightings.uniform(), axis_name="data", average_over="data"
        ),
        "axis_name and average_over share 'data'",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_input_is_named_in_one_line(case):
    call, message = WRONG[case]
    with pytest.raises(ValueError, match=message) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("make", [mmp.mmpareto, mmp.grad_drop, mmp.trimmed_mean])
def test_float64_arrays_of_numpy_are_taken_as_jax_takes_them(make, recwarn):
    tx = make(NET)
    updates, _ = updated({"net": np.eye(2), "head": np.ones(1)}, tx=tx)
    assert jax.tree.map(lambda leaf: leaf.dtype.name, updates) == {
        "net": "float32",
        "head": "float32",
    }
    assert not recwarn.list
