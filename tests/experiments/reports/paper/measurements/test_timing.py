"""The time of the integration: measured on a small network, and the ratios of made-up times."""

import importlib.util
import json

import jax
import numpy as np
import pytest

from experiments import data
from experiments.engine import program
from experiments.reports.paper.measurements import MEASUREMENTS, timing

ENCODERS = data.named("cg-digits").encoders

HAS_TORCH = importlib.util.find_spec("torch") is not None

TIMES = {
    "integration": np.array([1.0, 2.0, 3.0]),
    "step": np.array([10.0, 10.0, 10.0]),
    "released": np.array([5.0, 4.0, 9.0]),
}


@pytest.fixture
def compiled(linear, digits):
    return program.build(linear(method="mmpareto"), digits)


def test_a_measurement_is_of_ratios_and_leaves_the_state(compiled):
    state = compiled.initial_state(0)
    before = jax.tree.map(np.array, state)
    measured = MEASUREMENTS["timing"](compiled, state, ENCODERS)
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(np.asarray, state), before)
    assert json.loads(json.dumps(measured)) == measured
    assert measured["device"] == jax.devices()[0].device_kind
    assert ("released/ours" in measured) == ("torch" in measured) == HAS_TORCH
    assert "seconds" not in measured
    share = measured["integration/step"]
    assert 0 < share["minimum"] <= share["median"] <= share["maximum"]


def test_seconds_are_of_a_gpu_only(compiled, monkeypatch):
    monkeypatch.setattr(timing, "_on_gpu", lambda: True)
    times = {name: TIMES[name] for name in ("integration", "step")}
    monkeypatch.setattr(timing, "times_in_turns", lambda programs, rounds: times)
    measured = timing.measure(compiled, compiled.initial_state(0), ENCODERS)
    assert measured["seconds"] == {
        "integration": {"mean": 2.0, "variance": 1.0},
        "step": {"mean": 10.0, "variance": 0.0},
    }


def test_ratios_are_within_rounds():
    assert timing.ratios(TIMES) == {
        "integration/step": {"median": 0.2, "minimum": 0.1, "maximum": 0.3},
        "released/ours": {"median": 3.0, "minimum": 2.0, "maximum": 5.0},
    }


def test_without_torch_nothing_is_said_of_the_released_rule(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert timing._released({}) == {}
    assert timing.ratios({name: TIMES[name] for name in ("integration", "step")}).keys() == {
        "integration/step"
    }


def test_each_encoder_gets_gradients_of_its_objectives(compiled):
    params = compiled.initial_state(0).params["encoders"]
    gradients = timing._random_gradients(params, {**ENCODERS, "gray": ("joint", "gray", "third")})
    for name, number in {"gray": 3, "color": 2}.items():
        shapes = jax.tree.map(lambda p, number=number: (number, *p.shape), params[name])
        assert jax.tree.map(np.shape, gradients[name]) == shapes


@pytest.mark.skipif(not HAS_TORCH, reason="needs torch: pip install '.[peers]'")
def test_the_released_rule_integrates_the_gradients_of_all_encoders(monkeypatch):
    from benchmarks._problems import torch_released

    gradients = {
        "a": {"kernel": np.ones((2, 3), np.float32)},
        "b": {"kernel": np.arange(4, dtype=np.float32).reshape(2, 2)},
    }
    given = []
    monkeypatch.setattr(torch_released, "integrate", lambda *pair: given.append(pair))
    timing._released(gradients)["released"]()
    for pair, tree in zip(given, gradients.values(), strict=True):
        for gradient, expected in zip(pair, tree["kernel"], strict=True):
            np.testing.assert_array_equal(gradient["0"].numpy(), expected)
