"""The training methods, by name."""

import inspect

import jax
import numpy as np
import pytest

import mmpareto_jax as mmp
from experiments import methods
from experiments.config import Config, Optimization
from experiments.engine import program
from experiments.engine.comparison import Protocol, conflicts, run_seeds
from experiments.engine.logs import RunLog, read
from experiments.engine.loop import train
from experiments.errors import UserError
from experiments.methods import rivals
from experiments.methods._method import every_objective

STATELESS = sorted(
    {name for name in rivals.RIVALS if mmp.weightings.__dict__.get(name.replace("-", "_"))}
    - {"famo", "gradnorm", "uncertainty", "cagrad"}
)
"""Weightings that train as the others do; the library's tests run each of them."""


@pytest.mark.parametrize(
    "method",
    [
        pytest.param(name, marks=[pytest.mark.slow] if name in STATELESS else [])
        for name in sorted(methods.INTEGRATIONS)
    ],
)
def test_every_integration_trains_without_a_second_compilation(linear, digits, method, tmp_path):
    compiled = program.build(linear(method=method), digits)
    records = []
    train(compiled, compiled.initial_state(0), 1, lambda state, record: records.append(record))
    assert compiled.step._cache_size() == 1
    (record,) = records
    assert record["step"] == compiled.feed.steps_per_epoch
    assert set(record["scores"]) <= {"joint", "gray", "color"}
    assert np.all(np.isfinite(list(record["loss"].values())))
    with RunLog(tmp_path, epochs=0) as log:
        log.write(record)
    assert read(tmp_path / "metrics.jsonl") == records


def test_every_weighting_of_the_library_is_a_method_or_named_as_none():
    weightings = {name for name, _ in inspect.getmembers(mmp.weightings, inspect.isfunction)}
    elsewhere = {*rivals.BASELINES, *rivals.NOT_A_METHOD, *mmp.weightings.COMBINATORS}
    names = {name.replace("_", "-") for name in weightings - elsewhere}
    assert names <= set(methods.METHODS)
    assert "constant" not in methods.METHODS


def test_an_unknown_method_is_an_error_that_names_those_there_are():
    with pytest.raises(UserError, match="unknown method 'magic'") as error:
        methods.build(Config(method="magic"))
    assert all(name in str(error.value) for name in methods.METHODS)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("method", "option", "message"),
    [
        ("g-blending", "every=0", "every must be a positive whole number"),
        ("g-blending", "every=1.5", "every must be a positive whole number"),
        ("g-blending", "held_out=0", "held_out must be a share"),
        ("g-blending", "held_out=1.0", "held_out must be a share"),
        ("g-blending", "least_overfitting=0", "least_overfitting must be positive"),
        ("greedy", "threshold=-0.1", "threshold must not be negative"),
        ("greedy", "window=0", "window must be a positive whole number"),
        ("greedy", "window=2.5", "window must be a positive whole number"),
        ("greedy", "warm_up_epochs=-1", "warm_up_epochs must be a whole number"),
    ],
)
def test_options_out_of_range_are_errors(method, option, message):
    with pytest.raises(UserError, match=message):
        methods.build(Config(method=method, options=(option,)))


def test_a_weighting_is_given_the_losses_of_its_encoder_in_order(linear, digits, monkeypatch):
    weighting = mmp.Weighting(
        init=lambda num_objectives: (), update=lambda gramian, state, losses: (losses, state)
    )
    method = every_objective(lambda encoders: mmp.aggregate(weighting, encoders))
    monkeypatch.setitem(methods.METHODS, "losses", lambda config: method)
    compiled = program.build(linear(method="losses"), digits)
    state = compiled.initial_state(0)
    _, metrics = compiled.step(state, next(compiled.feed.training(state.key, range(1))))
    for name, encoder in metrics["encoders"].items():
        wanted = [metrics["loss"]["joint"], metrics["loss"][name]]
        np.testing.assert_allclose(encoder.weights, wanted, rtol=1e-6)


def test_dwa_weighs_by_the_mean_losses_of_epochs(linear, digits):
    compiled = program.build(linear(method="dwa"), digits)
    state = compiled.initial_state(0)
    steps_per_epoch = compiled.feed.steps_per_epoch
    losses, weights = [], []
    for batch in compiled.feed.training(state.key, range(3 * steps_per_epoch)):
        state, metrics = compiled.step(state, batch)
        losses.append([float(metrics["loss"][name]) for name in ("joint", "gray")])
        weights.append(np.asarray(metrics["encoders"]["gray"].weights))
    first, second = np.mean(np.reshape(losses, (3, -1, 2))[:2], axis=1)
    shares = np.exp(second / first / 2)
    np.testing.assert_array_equal(weights[: 2 * steps_per_epoch], 1)
    for third in weights[2 * steps_per_epoch :]:
        np.testing.assert_allclose(third, 2 * shares / shares.sum(), rtol=1e-5)


def test_moco_weighs_running_means_of_the_gradients(linear, digits):
    decay_free = Optimization(epochs=1, batch_size=320, weight_decay=0.0, momentum=0.0)
    compiled = program.build(linear(method="moco", optimization=decay_free), digits)
    uniform = program.build(linear(method="uniform", optimization=decay_free), digits)
    moved = []
    for each in (compiled, uniform):
        start = each.initial_state(0)
        before = jax.device_get(start.params["encoders"])
        end, _ = each.step(start, next(each.feed.training(start.key, range(1))))
        change = jax.tree.map(np.subtract, jax.device_get(end.params["encoders"]), before)
        moved.append(np.concatenate([x.ravel() for x in jax.tree.leaves(change)]))
    # The first mean is half the gradient, and the weights are almost a half each.
    assert np.linalg.norm(moved[0]) / np.linalg.norm(moved[1]) == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("method", ["grad-drop", "trimmed-mean"])
def test_coordinate_wise_methods_have_no_conflict_to_record(linear, digits, method):
    compiled = program.build(linear(method=method), digits)
    protocol = Protocol(seeds=1, epochs=1)
    (history,) = run_seeds(compiled, protocol, lambda: None)
    assert history[0]["encoders"] == {}
    assert conflicts([history], "gray") is None
