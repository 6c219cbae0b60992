"""The gradients at fixed parameters, against NumPy in float64 on all gradients at once."""

import importlib
import json
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.engine import program
from experiments.engine.program import Program
from experiments.engine.state import TrainState
from experiments.reports.paper.measurements import MEASUREMENTS

# The module, which a function of its name shadows.
gradients = importlib.import_module("experiments.reports.paper.measurements.gradients")
measure = MEASUREMENTS["gradients"]

NUMBER = 12


class Planted:
    """A feed of batches whose gradients are their contents, ``[NUMBER, 2, dimension]``."""

    def __init__(self, planted):
        self.planted = np.asarray(planted, np.float32)

    def training(self, key, steps):
        for step in steps:
            joint, unimodal = self.planted[step % len(self.planted)]
            yield {"joint": jnp.asarray(joint), "a": jnp.asarray(unimodal)}


def losses(state, batch):
    """Linear in the encoder's parameters, which are in two tensors."""
    encoder = state.params["encoders"]["a"]
    flat = jnp.concatenate([encoder["bias"], encoder["kernel"].ravel()])
    return {name: flat @ content for name, content in batch.items()}


def measured(planted, monkeypatch, batches=NUMBER):
    monkeypatch.setattr(gradients, "BATCHES", batches)
    size = planted.shape[-1]
    params = {"encoders": {"a": {"bias": jnp.ones(2), "kernel": jnp.ones((2, size // 2 - 1))}}}
    state = TrainState(jnp.zeros((), jnp.int32), jax.random.PRNGKey(0), params, {}, (), ((), ()))
    compiled = Program(Planted(planted), *[None] * (len(Program._fields) - 1))
    return measure(compiled._replace(losses=losses), state, {"a": ("joint", "a")})["a"]


def gaussian(mean=0.3, scale=(1.0, 2.5), shared=0.4, size=10, seed=0):
    """Gradients with correlated noise, some of them in conflict."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(NUMBER, 3, size))
    pairs = np.sqrt(1 - shared) * noise[:, :2] + np.sqrt(shared) * noise[:, 2:]
    return np.float32(mean + pairs * np.array(scale)[:, None])


def trace(x, y=None):
    """The trace of the unbiased (cross-)covariance of rows."""
    y = x if y is None else y
    return np.sum((x - x.mean(0)) * (y - y.mean(0))) / (len(x) - 1)


def alpha(joint, unimodal):
    """The paper's closed form of the weight of the first, by the point nearest to zero."""
    difference = joint - unimodal
    share = -np.sum(difference * unimodal, axis=1) / np.sum(difference**2, axis=1)
    return np.clip(share, 0, 1)


def mmpareto(joint, unimodal, gamma):
    """Algorithm 1, a row a batch."""
    share = alpha(joint, unimodal)[:, None]
    conflict = np.sum(joint * unimodal, axis=1, keepdims=True) < 0
    direction = np.where(conflict, 2 * share * joint + 2 * (1 - share) * unimodal, joint + unimodal)
    norm = np.linalg.norm(joint + unimodal, axis=1, keepdims=True)
    return gamma * norm * direction / np.linalg.norm(direction, axis=1, keepdims=True)


def test_variances_are_those_of_the_gradients_at_once(monkeypatch):
    planted = gaussian()
    joint, unimodal = np.moveaxis(planted.astype(np.float64), 1, 0)
    share = alpha(joint, unimodal)[:, None]
    assert np.any(np.sum(joint * unimodal, axis=1) < 0)
    assert np.any(np.sum(joint * unimodal, axis=1) > 0)
    rows = {
        "joint": joint,
        "unimodal": unimodal,
        "uniform": joint + unimodal,
        "pareto": 2 * share * joint + 2 * (1 - share) * unimodal,
        "mmpareto-gamma-1": mmpareto(joint, unimodal, 1.0),
        "mmpareto-gamma-1.5": mmpareto(joint, unimodal, 1.5),
    }
    found = measured(planted, monkeypatch)
    assert found["variance"].keys() == found["mean_squared"].keys() == rows.keys()
    for name, gradient in rows.items():
        np.testing.assert_allclose(found["variance"][name], trace(gradient), rtol=1e-5)
        mean = np.sum(gradient.mean(0) ** 2)
        np.testing.assert_allclose(found["mean_squared"][name], mean, rtol=1e-4)


def test_ratios_weights_and_the_formula_of_the_paper(monkeypatch):
    planted = gaussian(seed=1)
    joint, unimodal = np.moveaxis(planted.astype(np.float64), 1, 0)
    of_joint, of_unimodal, share = trace(joint), trace(unimodal), alpha(joint, unimodal)
    k, mean = of_unimodal / of_joint, share.mean()
    found = measured(planted, monkeypatch)
    expected = {
        "k": k,
        "bound": (3 * k - 1) / (2 * k + 2),
        "correlation": trace(joint, unimodal) / np.sqrt(of_joint * of_unimodal),
        "alpha": mean,
        "alpha_above_half": np.mean(share > 0.5),
    }
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5)
    formula = {
        "uniform": of_joint + of_unimodal,
        "pareto": 4 * mean**2 * of_joint + 4 * (1 - mean) ** 2 * of_unimodal,
    }
    assert found["formula"].keys() == formula.keys()
    for name, value in formula.items():
        np.testing.assert_allclose(found["formula"][name], value, rtol=1e-5)


def test_norms_and_cosines_of_each_batch(monkeypatch):
    planted = gaussian(seed=2)
    joint, unimodal = np.moveaxis(planted.astype(np.float64), 1, 0)
    norms = np.linalg.norm(planted.astype(np.float64), axis=2)
    found = measured(planted, monkeypatch)
    np.testing.assert_allclose(found["norms"]["joint"], norms[:, 0], rtol=6e-4)
    np.testing.assert_allclose(found["norms"]["unimodal"], norms[:, 1], rtol=6e-4)
    cosines = np.sum(joint * unimodal, axis=1) / np.prod(norms, axis=1)
    np.testing.assert_allclose(found["cosine"], cosines, rtol=6e-4)
    assert all(float(f"{norm:.4g}") == norm for norm in found["norms"]["joint"])
    assert found["objectives"] == ["joint", "a"]


def test_the_sum_varies_by_both_and_twice_what_they_share(monkeypatch):
    found = measured(gaussian(shared=0.7, seed=3), monkeypatch)
    variance = found["variance"]
    shared = found["correlation"] * np.sqrt(variance["joint"] * variance["unimodal"])
    expected = variance["joint"] + variance["unimodal"] + 2 * shared
    np.testing.assert_allclose(variance["uniform"], expected, rtol=1e-5)


def test_a_mean_far_larger_than_the_noise_costs_no_digits_but_those_of_the_input(monkeypatch):
    planted = gaussian(mean=1000.0, seed=4)
    joint, unimodal = np.moveaxis(planted.astype(np.float64), 1, 0)
    variance = measured(planted, monkeypatch)["variance"]
    # A running mean in float32 is rounded to 1e-4 of the noise; the difference of two sums of
    # squares would be wrong by several per cent.
    np.testing.assert_allclose(variance["joint"], trace(joint), rtol=1e-3)
    np.testing.assert_allclose(variance["unimodal"], trace(unimodal), rtol=1e-3)


def test_the_same_batches_twice_have_the_same_sum_of_squares(monkeypatch):
    planted = gaussian(seed=5)
    once = measured(planted, monkeypatch)
    twice = measured(planted, monkeypatch, 2 * NUMBER)
    for name, variance in once["variance"].items():
        per_sample = (NUMBER - 1) / NUMBER, (2 * NUMBER - 1) / (2 * NUMBER)
        sums = variance * per_sample[0], twice["variance"][name] * per_sample[1]
        np.testing.assert_allclose(sums[1], sums[0], rtol=1e-4)
    np.testing.assert_allclose(twice["alpha"], once["alpha"], rtol=1e-6)


@pytest.mark.parametrize("rows", [np.zeros((NUMBER, 2, 10)), np.ones((NUMBER, 2, 10))])
def test_what_has_no_noise_has_no_ratio_of_noises(monkeypatch, rows):
    found = measured(rows, monkeypatch)
    assert found["variance"]["joint"] == 0
    assert found["k"] is found["correlation"] is found["bound"] is None
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e30])
def test_gradients_that_are_not_finite_are_no_numbers_of_json(monkeypatch, bad):
    planted = gaussian()
    planted[3] = bad
    found = measured(planted, monkeypatch)
    json.dumps(found, allow_nan=False)
    assert found["norms"]["joint"][3] is None
    assert found["k"] is None


class Recording:
    """A feed that keeps its batches."""

    def __init__(self, feed):
        self.feed, self.steps, self.batches = feed, [], []

    def training(self, key, steps):
        self.steps.append(steps)
        for batch in self.feed.training(key, steps):
            self.batches.append(batch)
            yield batch


@pytest.fixture
def trained_on(linear, digits, monkeypatch):
    """The program of a linear network, and its feed's record."""
    monkeypatch.setattr(gradients, "BATCHES", 5)  # an epoch has four steps
    config = linear(method="uniform")
    compiled = program.build(config, digits)
    feed = Recording(compiled.feed)
    encoders = {"gray": ("joint", "gray"), "color": ("joint", "color"), "all": ("joint",)}
    return SimpleNamespace(
        compiled=compiled._replace(feed=feed),
        state=compiled.initial_state(0),
        feed=feed,
        encoders=encoders,
    )


def test_a_programs_gradients_are_those_of_its_losses(trained_on):
    state = trained_on.state
    found = measure(trained_on.compiled, state, trained_on.encoders)
    assert found.keys() == {"gray", "color"}
    assert trained_on.feed.steps == [range(5)]

    @jax.jit
    def by_head(params, batch):
        return jax.jacrev(
            lambda params: trained_on.compiled.losses(state._replace(params=params), batch)
        )(params)

    every = [jax.device_get(by_head(state.params, batch)) for batch in trained_on.feed.batches]

    def rows(head, name):
        flat = [jax.tree.leaves(heads[head]["encoders"][name]) for heads in every]
        return np.float64([np.concatenate([leaf.ravel() for leaf in leaves]) for leaves in flat])

    for name in ("gray", "color"):
        joint, unimodal = rows("joint", name), rows(name, name)
        norms = np.linalg.norm(joint, axis=1)
        np.testing.assert_allclose(found[name]["norms"]["joint"], norms, rtol=1e-3)
        np.testing.assert_allclose(found[name]["variance"]["joint"], trace(joint), rtol=1e-3)
        ratio = trace(unimodal) / trace(joint)
        np.testing.assert_allclose(found[name]["k"], ratio, rtol=1e-3)
    json.dumps(found, allow_nan=False)


def test_batches_are_a_seeds_own_and_compiled_once(trained_on):
    encoders = {"gray": ("joint", "gray")}
    other = trained_on.compiled.initial_state(1)
    one, again, two = (
        measure(trained_on.compiled, state, encoders)
        for state in (trained_on.state, trained_on.state, other)
    )
    assert one == again
    labels = [np.asarray(batch["label"]) for batch in trained_on.feed.batches]
    assert np.any(labels[0] != labels[10])
    assert one["gray"]["norms"] != two["gray"]["norms"]
    of_training = next(trained_on.compiled.feed.training(trained_on.state.key, range(1)))
    assert np.any(labels[0] != np.asarray(of_training["label"]))
    placement = trained_on.state.step.sharding
    observe = gradients.observer(trained_on.compiled.losses, tuple(encoders.items()), placement)
    assert observe._cache_size() == 1
