"""The landscape: the directions, its middle, and toy losses that are known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.engine import program
from experiments.engine.evaluate import scores
from experiments.engine.state import TrainState
from experiments.errors import UserError
from experiments.reports.paper.measurements import MEASUREMENTS
from experiments.reports.paper.measurements._filter_normalized import direction
from experiments.reports.paper.measurements._joint_loss import SAMPLES
from experiments.tasks import Classification, Depth

MIDDLE = 10


def parameters():
    random = np.random.default_rng(0)
    return {
        "convolution": {
            "kernel": jnp.asarray(random.normal(size=(3, 3, 2, 5)), jnp.float32),
            "bias": jnp.asarray(random.normal(size=5), jnp.float32),
        },
        "dense": {"kernel": jnp.asarray(random.normal(size=(7, 4)), jnp.float32)},
        "scale": jnp.float32(3),
    }


def filter_norms(kernel):
    flat = np.asarray(kernel, np.float64).reshape(-1, kernel.shape[-1])
    return np.sqrt(np.sum(flat**2, axis=0))


def test_filters_have_the_norms_of_the_parameters_filters():
    params = parameters()
    made = direction(params, jax.random.key(1))
    for layer in ("convolution", "dense"):
        norms = filter_norms(made[layer]["kernel"])
        np.testing.assert_allclose(norms, filter_norms(params[layer]["kernel"]), rtol=1e-5)
        assert np.all(made[layer]["kernel"] != params[layer]["kernel"])
    assert not np.any(made["convolution"]["bias"])
    assert made["scale"] == 0


def test_a_filter_of_zeros_stays():
    made = direction({"kernel": jnp.zeros((3, 2))}, jax.random.key(0))
    np.testing.assert_array_equal(made["kernel"], np.zeros((3, 2)))


def test_directions_scale_with_the_parameters():
    params = parameters()
    once = direction(params, jax.random.key(1))
    doubled = direction(jax.tree.map(lambda x: 2 * x, params), jax.random.key(1))
    kernels = (tree["dense"]["kernel"] for tree in (once, doubled))
    np.testing.assert_allclose(2 * next(kernels), next(kernels), rtol=1e-5)


def test_its_middle_is_the_loss_and_accuracy_of_the_state(linear, digits):
    compiled = program.build(linear(), digits)
    state = compiled.initial_state(0)
    measured = MEASUREMENTS["landscape"](compiled, state, {})

    np.testing.assert_allclose(measured["steps"], np.linspace(-1, 1, 21), atol=1e-12)
    losses, accuracies = np.array(measured["loss"]), np.array(measured["accuracy"])
    assert losses.shape == accuracies.shape == (3, 21)
    first = {name: field[:SAMPLES] for name, field in digits["train"].items()}
    (batch,) = [{name: jnp.asarray(field) for name, field in first.items()}]
    np.testing.assert_allclose(
        losses[:, MIDDLE], float(compiled.losses(state, batch)["joint"]), rtol=1e-6
    )
    assert measured["test_samples"] == 500
    assert set(accuracies[:, MIDDLE]) == {scores(compiled, state)["joint"]["accuracy"]}
    assert len(set(losses[:, 0])) == 3  # the directions differ
    rises = losses[:, [5, 15]] - losses[:, [MIDDLE]]
    assert measured["sharpness"] == pytest.approx(rises.mean())
    assert MEASUREMENTS["landscape"](compiled, state, {}) == measured


class Toy:
    """A program whose loss is a function of its parameters, and that predicts class 0 always."""

    def __init__(self, loss, params, task=None, sizes=(4,)):
        self.feed = self
        self.tasks = {"joint": task or Classification(2)}
        self.state = TrainState(None, None, params, None, None, None)
        self._loss = loss
        self._sizes = sizes

    def evaluation(self, split):
        for size in self._sizes:
            yield {"label": np.zeros(size)}, np.full(size, True)

    def losses(self, state, batch):
        return {"joint": self._loss(state.params)}

    def sums(self, state, batch, counted):
        number = len(counted)
        return {"joint": np.array([[number // 4, 0], [number - number // 4, 0]])}


def test_of_a_quadratic_about_zero_only_the_norms_matter():
    # The norm of a filter is 5, and 1 + 2 t cos + t^2 times its square is lost at the step t.
    params = {"kernel": jnp.array([[3.0], [4.0]])}
    toy = Toy(lambda params: jnp.sum(params["kernel"] ** 2), params)
    measured = MEASUREMENTS["landscape"](toy, toy.state, {})
    losses = np.array(measured["loss"])
    steps = np.array(measured["steps"])
    even = (losses + losses[:, ::-1]) / 2
    np.testing.assert_allclose(even, np.tile(25 + 25 * steps**2, (3, 1)), rtol=1e-4)
    assert measured["sharpness"] == pytest.approx(25 / 4, rel=1e-4)


def test_of_an_even_loss_about_its_minimum_both_sides_are_alike():
    start = np.array([[3.0], [4.0]], np.float32)
    toy = Toy(
        lambda params: jnp.sum(jnp.abs(params["kernel"] - start)), {"kernel": jnp.array(start)}
    )
    losses = np.array(MEASUREMENTS["landscape"](toy, toy.state, {})["loss"])
    np.testing.assert_allclose(losses, losses[:, ::-1], atol=1e-5)
    np.testing.assert_allclose(losses[:, 15], losses[:, -1] / 2, rtol=1e-4)


def test_a_loss_of_biases_is_flat():
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.array([1.0, 2.0])}
    toy = Toy(lambda params: jnp.sum(params["bias"] ** 2), params)
    measured = MEASUREMENTS["landscape"](toy, toy.state, {})
    assert measured["sharpness"] == 0
    assert set(np.ravel(measured["loss"])) == {5.0}


def test_accuracy_counts_no_more_than_a_thousand_test_samples():
    params = {"kernel": jnp.ones((1, 1))}
    toy = Toy(lambda params: jnp.sum(params["kernel"]), params, sizes=(400, 400, 400))
    measured = MEASUREMENTS["landscape"](toy, toy.state, {})
    assert measured["test_samples"] == 800
    assert set(np.ravel(measured["accuracy"])) == {0.25}


def test_a_head_without_accuracy_is_an_error():
    params = {"kernel": jnp.ones((1, 1))}
    toy = Toy(lambda params: jnp.sum(params["kernel"]), params, Depth())
    toy.sums = lambda *_: {"joint": np.ones(3)}
    with pytest.raises(UserError, match="not all heads have one"):
        MEASUREMENTS["landscape"](toy, toy.state, {})
