"""The largest eigenvalue and the trace of the Hessian, against dense matrices."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.flatten_util import ravel_pytree

from experiments.engine import program
from experiments.reports.paper.measurements import MEASUREMENTS
from experiments.reports.paper.measurements._hutchinson import traces
from experiments.reports.paper.measurements._joint_loss import SAMPLES, fixed_samples, joint
from experiments.reports.paper.measurements._lanczos import largest_eigenvalue

SPECTRA = st.lists(st.floats(-100, 100, width=32), min_size=8, max_size=8)
"""Of one size, for which it is compiled once."""


def rotated(spectrum, seed=0):
    """A symmetric matrix of a spectrum, float32, in a basis of no importance."""
    random = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(random.normal(size=(len(spectrum), len(spectrum))))
    return ((basis * np.asarray(spectrum)) @ basis.T).astype(np.float32)


def product_with(matrix):
    # As in NumPy, so that hypothesis does not compile for each size.
    return lambda vector: jnp.asarray(matrix @ np.asarray(vector))


def random_start(size):
    return jnp.asarray(np.random.default_rng(1).normal(size=size), jnp.float32)


@settings(max_examples=20, deadline=None)
@given(SPECTRA)
def test_as_many_iterations_as_dimensions_give_the_largest_eigenvalue(spectrum):
    matrix = rotated(spectrum)
    ritz = largest_eigenvalue(product_with(matrix), random_start(len(spectrum)), 20, 1e-5)
    scale = np.max(np.abs(spectrum))
    assert ritz.value == pytest.approx(np.max(spectrum), abs=1e-3 * scale + 1e-30)


@settings(max_examples=20, deadline=None)
@given(SPECTRA, st.integers(1, 6))
def test_an_eigenvalue_is_within_the_residual_and_none_is_exceeded(spectrum, iterations):
    matrix = rotated(spectrum)
    start = random_start(len(spectrum))
    ritz = largest_eigenvalue(product_with(matrix), start, iterations, 0.0)
    eigenvalues = np.linalg.eigvalsh(matrix.astype(np.float64))
    rounding = 1e-5 * np.max(np.abs(spectrum)) + 1e-30
    assert np.min(np.abs(eigenvalues - ritz.value)) <= ritz.residual + rounding
    assert ritz.value <= eigenvalues[-1] + rounding


@pytest.mark.parametrize("spectrum", [[-2.0], [0.0, 0.0], [3.0, 3.0, 3.0]])
def test_repeated_eigenvalues_and_a_single_dimension_end_early(spectrum):
    start = random_start(len(spectrum))
    ritz = largest_eigenvalue(product_with(rotated(spectrum)), start, 20, 1e-5)
    assert ritz.value == pytest.approx(spectrum[0], abs=1e-5)
    assert ritz.iterations == 1


def test_a_product_that_is_not_finite_gives_no_number():
    ritz = largest_eigenvalue(lambda vector: vector * jnp.nan, random_start(3), 20, 1e-3)
    assert np.isnan(ritz.value)
    assert np.isnan(ritz.residual)


def test_the_residual_is_that_of_the_ritz_vector():
    matrix = rotated(np.linspace(-1, 4, 30)).astype(np.float64)
    ritz = largest_eigenvalue(product_with(matrix.astype(np.float32)), random_start(30), 6, 0.0)
    vector = np.asarray(ritz.vector, np.float64)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    residual = np.linalg.norm(matrix @ vector - ritz.value * vector)
    assert residual == pytest.approx(ritz.residual, rel=1e-3)
    assert residual > 1e-3  # six iterations do not find it


def test_lanczos_stops_at_the_tolerance():
    matrix = rotated([50.0, *np.linspace(-1, 1, 60)])
    ritz = largest_eigenvalue(product_with(matrix), random_start(61), 20, 1e-2)
    assert ritz.iterations < 10
    assert ritz.value == pytest.approx(50, abs=ritz.residual + 1e-4)
    assert ritz.residual <= 1e-2 * ritz.value


def test_the_trace_of_a_diagonal_matrix_is_exact():
    diagonal = np.array([3.0, -1.0, 0.5, 8.0], np.float32)
    blocks = jnp.array([[1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 0.0]])
    whole, part = traces(product_with(np.diag(diagonal)), blocks, jax.random.key(3), 5)
    assert (whole.value, whole.error) == (10.5, 0.0)
    assert (part.value, part.error) == (-0.5, 0.0)


@pytest.mark.parametrize("seed", range(3))
def test_the_trace_is_within_a_few_of_its_standard_errors(seed):
    matrix = rotated(np.random.default_rng(seed).uniform(0, 10, 40), seed)
    blocks = jnp.stack([jnp.ones(40), (jnp.arange(40) < 15).astype(jnp.float32)])
    estimates = traces(product_with(matrix), blocks, jax.random.key(seed), 100)
    for estimate, exact in zip(
        estimates, (np.trace(matrix), np.trace(matrix[:15, :15])), strict=True
    ):
        assert 0 < estimate.error < 0.1 * exact
        assert abs(estimate.value - exact) < 4 * estimate.error


def test_the_standard_error_is_that_of_the_mean_over_vectors():
    # v'Av of [[a, b], [b, c]] is a + c + 2b or a + c - 2b: its deviation is 2b.
    matrix = np.array([[1.0, 3.0], [3.0, 2.0]], np.float32)
    (estimate,) = traces(product_with(matrix), jnp.ones((1, 2)), jax.random.key(0), 400)
    assert estimate.error == pytest.approx(6 / 20, rel=0.1)


def dense_hessian(compiled, state, features, labels):
    """Of the joint cross-entropy of the linear network, written out in float64."""
    parameters, unravel = ravel_pytree(state.params)

    def loss(parameters):
        params = unravel(parameters)
        representation = sum(
            jnp.tanh(features[name] @ layer["kernel"] + layer["bias"][None])
            for name, layer in params["encoders"].items()
        )
        logits = representation @ params["heads"]["joint"]["kernel"]
        logits = logits + params["heads"]["joint"]["bias"][None]
        chosen = jnp.take_along_axis(logits, labels[:, None], 1)[:, 0]
        return jnp.mean(jax.nn.logsumexp(logits, axis=1) - chosen)

    hessian = np.asarray(jax.jit(jax.hessian(loss))(parameters), np.float64)
    return (hessian + hessian.T) / 2


def test_it_is_that_of_the_dense_hessian(linear, digits):
    compiled = program.build(linear(), digits)
    state = compiled.initial_state(0)
    encoders = {"gray": ("gray", "joint"), "color": ("color", "joint")}
    measured = MEASUREMENTS["curvature"](compiled, state, encoders)

    first = {name: np.asarray(field[:SAMPLES]) for name, field in digits["train"].items()}
    features = {
        name: jnp.asarray(first[name].mean(axis=(1, 2)) / 255, jnp.float32)
        for name in ("gray", "color")
    }
    hessian = dense_hessian(compiled, state, features, jnp.asarray(first["label"]))
    flags = {
        part: jax.tree.map(lambda x, part=part: jnp.full_like(x, part == "encoders"), tree)
        for part, tree in state.params.items()
    }
    inside = np.asarray(ravel_pytree(flags)[0]) > 0
    parameters = np.asarray(ravel_pytree(state.params)[0], np.float64)

    assert measured["samples"] == SAMPLES
    for name, rows in (("all", np.ones_like(inside)), ("encoders", inside)):
        block = hessian[np.ix_(rows, rows)]
        found = measured[name]
        largest = np.linalg.eigvalsh(block)[-1]
        assert found["parameters"] == rows.sum()
        assert found["squared_norm"] == pytest.approx(np.sum(parameters[rows] ** 2), rel=1e-5)
        assert found["eigenvalue"] == pytest.approx(largest, rel=2e-3)
        assert abs(found["eigenvalue"] - largest) <= found["residual"] + 1e-4 * largest
        assert 0 < found["trace_error"] < np.trace(block)
        assert abs(found["trace"] - np.trace(block)) < 4 * found["trace_error"]
    assert measured["encoders"]["eigenvalue"] < measured["all"]["eigenvalue"]
    assert MEASUREMENTS["curvature"](compiled, state, encoders) == measured


def test_samples_are_the_first_of_the_training_set(linear, digits):
    config = linear()
    small = dataclasses.replace(
        config, optimization=dataclasses.replace(config.optimization, batch_size=32)
    )
    compiled = program.build(small, digits)
    parts = fixed_samples(compiled)
    assert [number for _, number in parts] == [256, 256]
    labels = np.concatenate([np.asarray(batch["label"]) for batch, _ in parts])
    np.testing.assert_array_equal(labels, digits["train"]["label"][:SAMPLES])


def test_a_smaller_set_counts_each_sample_once(linear, digits):
    few = {name: field[:40] for name, field in digits["train"].items()}
    config = linear()
    small = dataclasses.replace(
        config, optimization=dataclasses.replace(config.optimization, batch_size=4)
    )
    compiled = program.build(small, {**digits, "train": few})
    parts = fixed_samples(compiled)
    assert [number for _, number in parts] == [32, 8]
    assert [len(batch["label"]) for batch, _ in parts] == [32, 8]
    labels = np.concatenate([np.asarray(batch["label"]) for batch, _ in parts])
    np.testing.assert_array_equal(labels, few["label"])


def test_without_a_joint_head_the_losses_are_added():
    assert joint({"left": jnp.array(1.0), "right": jnp.array(2.0)}) == 3
    assert joint({"left": jnp.array(1.0), "joint": jnp.array(2.0)}) == 2
