"""What `diagnostics` reads out of an optimizer state, and where it finds it."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import mmpareto_jax as mmp

NAMES = ("joint", "audio", "visual")
ROWS = {
    "one": [[3.0, 4.0]],
    "two in agreement": [[3.0, 4.0], [1.0, 0.0]],
    "two in conflict": [[3.0, 4.0], [-1.0, 0.5]],
    "orthogonal": [[2.0, 0.0], [0.0, 1.0]],
    "opposite": [[3.0, 4.0], [-1.5, -2.0]],
    "one of them zero": [[3.0, 4.0], [0.0, 0.0]],
    "three, the last two in conflict": [[1.0, 1.0], [2.0, -1.0], [-0.5, 1.0]],
    "three around zero": [[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]],
}


def encoders(count, name="net"):
    return {name: mmp.Encoder(params=name, objectives=NAMES[:count])}


WEIGHTINGS = {
    "uniform": mmp.weightings.uniform(2.0),
    "mmpareto": mmp.weightings.mmpareto(gamma=1.5),
}


@cache
def step(count, weighting):
    tx = mmp.aggregate(WEIGHTINGS[weighting], encoders(count))

    @jax.jit
    def run(grads):
        params = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), grads)
        return mmp.diagnostics(tx.update(grads, tx.init(params), params)[1])

    return run


def after_step(rows, weighting):
    """The diagnostics after one step on gradients `rows`, spread over two tensors."""
    grads = {"net": {"x": rows[:, 0], "y": rows[:, 1].reshape(-1, 1, 1)}}
    return step(len(rows), weighting)(grads)["net"]


@pytest.mark.parametrize("case", ROWS)
def test_values_equal_those_of_numpy(case):
    rows = np.array(ROWS[case], "f")
    found = after_step(rows, "uniform")
    norms = np.linalg.norm(rows, axis=1)
    pairs = [(i, j) for i in range(len(rows)) for j in range(i)]
    cosines = [rows[i] @ rows[j] / (norms[i] * norms[j] or 1) for i, j in pairs]
    np.testing.assert_allclose(found.gramian, rows @ rows.T, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(found.norms, norms, rtol=1e-6)
    np.testing.assert_allclose(found.cosine, min(cosines, default=1), rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(found.weights, np.full(len(rows), 2.0))
    assert found.scale == 2.0
    assert found.conflict == any(rows[i] @ rows[j] < 0 for i, j in pairs)
    assert found.stationary == (case in {"opposite", "three around zero"})


def test_scale_is_gamma_times_lambda():
    rows = np.array(ROWS["two in conflict"], "f")
    found = after_step(rows, "mmpareto")
    direction = 2 * found.weights / np.sum(found.weights)
    length = np.linalg.norm(rows.sum(axis=0)) / np.linalg.norm(direction @ rows)
    np.testing.assert_allclose(found.scale, 1.5 * length, rtol=1e-5)


def test_scale_is_gamma_without_conflict():
    found = after_step(np.array(ROWS["orthogonal"], "f"), "mmpareto")
    assert found.scale == 1.5


def test_shapes_are_those_of_the_docstring():
    found = after_step(np.eye(3, 2, dtype="f"), "mmpareto")
    shapes = jax.tree.map(jnp.shape, found)
    assert shapes == mmp.Diagnostics((3, 3), (), (3,), (3,), (), (), ())
    assert found.conflict.dtype == found.stationary.dtype == jnp.bool


def test_before_the_first_update_all_gradients_count_as_zero():
    state = mmp.mmpareto(encoders(2)).init({"net": np.zeros(2, "f")})
    found = jax.jit(mmp.diagnostics)(state)["net"]
    assert not np.any(found.gramian)
    assert not np.any(found.norms)
    assert not np.any(found.weights)
    assert found.cosine == found.scale == 0
    assert not found.conflict
    assert found.stationary


def test_a_gradient_that_is_not_finite_is_no_stationary_point():
    for bad in (np.nan, np.inf):
        found = after_step(np.array([[bad, 1.0], [1.0, 1.0]], "f"), "mmpareto")
        assert not found.stationary
        assert not np.isfinite(found.norms[0])


def test_every_encoder_is_read():
    both = encoders(2, "first") | encoders(3, "second")
    params = {"first": np.zeros(2, "f"), "second": np.zeros(2, "f")}
    found = jax.eval_shape(lambda: mmp.diagnostics(mmp.mmpareto(both).init(params)))
    assert {name: value.weights.size for name, value in found.items()} == {"first": 2, "second": 3}


def test_it_is_the_same_without_jit():
    tx = mmp.mmpareto(encoders(2))
    params, grads = {"net": np.zeros(2, "f")}, {"net": np.array(ROWS["two in conflict"], "f")}
    _, state = jax.jit(tx.update)(grads, tx.init(params), params)
    eager, jitted = mmp.diagnostics(state), jax.jit(mmp.diagnostics)(state)
    assert bool(eager["net"].conflict)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), jitted, eager)


# ---------------------------------------------------------------- where it looks

AGGREGATOR = mmp.mmpareto(encoders(2))
WRAPPED = {
    "chain": optax.chain(AGGREGATOR, optax.adam(0.1)),
    "chain in a chain": optax.chain(
        optax.chain(optax.identity(), AGGREGATOR), optax.sgd(0.1, momentum=0.9)
    ),
    "named_chain": optax.named_chain(("combine", AGGREGATOR), ("step", optax.sgd(0.1))),
    "inject_hyperparams": optax.chain(
        optax.inject_hyperparams(mmp.mmpareto)(encoders=encoders(2), gamma=1.5), optax.sgd(0.1)
    ),
    "before MultiSteps": optax.chain(
        AGGREGATOR, optax.MultiSteps(optax.adam(0.1), 2).gradient_transformation()
    ),
    "before apply_if_finite": optax.chain(AGGREGATOR, optax.apply_if_finite(optax.adam(0.1), 2)),
}


@pytest.mark.parametrize("tx", WRAPPED.values(), ids=WRAPPED.keys())
@pytest.mark.usefixtures("optax_promotes")
def test_the_aggregator_is_found_wherever_it_sits(tx):
    params, grads = {"net": np.zeros(2, "f")}, {"net": np.array(ROWS["two in conflict"], "f")}

    @jax.jit
    def norms():
        found = mmp.diagnostics(tx.update(grads, tx.init(params), params)[1])
        return {name: value.norms for name, value in found.items()}

    assert list(norms()) == ["net"]
    np.testing.assert_allclose(norms()["net"], [5, 1.25**0.5], rtol=1e-6)


def test_the_aggregator_is_found_inside_the_state_of_a_wrapper():
    wrapper = optax.MultiSteps(optax.chain(AGGREGATOR, optax.sgd(0.1)), 2)
    assert list(mmp.diagnostics(wrapper.init({"net": np.zeros(2, "f")}))) == ["net"]


class Net(nnx.Module):
    def __init__(self):
        self.net = nnx.Param(jnp.zeros(2))


@pytest.mark.usefixtures("optax_promotes")
def test_the_aggregator_is_found_in_an_nnx_optimizer():
    model = Net()
    optimizer = nnx.Optimizer(model, WRAPPED["chain"], wrt=nnx.Param)
    grads = nnx.state(model, nnx.Param)
    nnx.replace_by_pure_dict(grads, {"net": jnp.array(ROWS["two in conflict"])})
    optimizer.update(model, grads)
    found = mmp.diagnostics(optimizer.opt_state)["net"]
    np.testing.assert_allclose(found.norms, [5, 1.25**0.5], rtol=1e-6)
    assert found.conflict


def test_a_state_without_aggregator_is_an_error():
    state = optax.adam(0.1).init({"net": np.zeros(2, "f")})
    with pytest.raises(ValueError, match="no aggregator of mmpareto_jax"):
        mmp.diagnostics(state)


def test_two_aggregators_with_the_same_encoder_name_are_an_error():
    state = optax.chain(AGGREGATOR, AGGREGATOR).init({"net": np.zeros(2, "f")})
    with pytest.raises(ValueError, match="several aggregators have an encoder called 'net'"):
        mmp.diagnostics(state)


def test_two_aggregators_with_different_encoder_names_are_merged():
    params = {"first": np.zeros(2, "f"), "second": np.zeros(2, "f")}
    tx = optax.chain(mmp.mmpareto(encoders(2, "first")), mmp.mmpareto(encoders(3, "second")))
    assert set(jax.eval_shape(lambda: mmp.diagnostics(tx.init(params)))) == {"first", "second"}
