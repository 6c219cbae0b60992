"""What the strategies cost, as XLA counts it."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import strategies
from benchmarks._problems import shared_encoder, training
from experiments.engine.timing import Ratio

RESULTS = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def memory():
    if jax.__version_info__ < (0, 10, 2):
        pytest.skip("XLA before jax 0.10.2 holds twice the gradients on the CPU")
    return strategies.deep(layers=8)


def test_the_gramian_strategy_takes_the_memory_of_one_gradient(memory):
    assert memory.excess("gramian") <= memory.allowed
    assert memory.excess("features") <= memory.excess("gramian")


def test_the_stacked_strategy_takes_that_of_every_objective(memory):
    assert memory.excess("stacked") == pytest.approx(len(shared_encoder.HEADS), rel=0.1)


def test_the_aim_is_in_gradients():
    memory = strategies.Memory({}, gradient_bytes=100, largest_bytes=10)
    assert memory.allowed == pytest.approx(1.2 + 8 * 0.1)


def test_all_strategies_compute_the_losses_of_the_uniform_step(monkeypatch):
    monkeypatch.setattr(shared_encoder, "WIDTH", 16)
    problem = shared_encoder.problem(layers=2)
    start = problem.losses(problem.params, None, problem.batch)[0]
    for strategy in training.STRATEGIES:
        step, state = training.integrated(problem, shared_encoder.ENCODERS, strategy)
        new = jax.jit(step)(state, problem.batch)
        end = problem.losses(new.params, None, problem.batch)[0]
        assert sum(end.values()) < sum(start.values())


def test_a_program_goes_on_from_its_last_state():
    step = jax.jit(lambda state, batch: state + batch, donate_argnums=0)
    start = jnp.zeros(3)
    program = strategies.training_program(step, start, jnp.ones(3))
    program()
    np.testing.assert_array_equal(program(), 2 * np.ones(3))
    np.testing.assert_array_equal(start, np.zeros(3))  # the caller's is not consumed


def test_the_table_is_saved_as_it_is_printed(tmp_path, capsys, monkeypatch):
    costs = {name: strategies.Cost(2.0, 8) for name in ("uniform", *training.STRATEGIES)}
    ratios = dict.fromkeys(training.STRATEGIES, Ratio(1.5, 1.0, 2.0))
    monkeypatch.setattr(strategies, "late_fusion", lambda protocol: (costs, ratios))
    monkeypatch.setattr(strategies, "deep", lambda layers: strategies.Memory(costs, 4, 1))
    strategies.main(strategies.Protocol(), tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "| gramian | 1.0000 | 1.00 | 1.50 (1.00 to 2.00) |" in text
    assert "| 8 | 0.00 | 0.00 | 0.00 | 3.20 |" in text


def test_the_saved_operations_and_bytes_reach_their_aims():
    found = json.loads((RESULTS / "bench-strategies" / "results.json").read_text())
    operations = {name: cost["flops"] for name, cost in found["late fusion"].items()}
    assert operations["stacked"] <= 1.68 * operations["uniform"]
    assert operations["gramian"] <= 2.35 * operations["uniform"]
    assert operations["features"] <= 1.03 * operations["uniform"]
    for network in found["shared encoder"].values():
        steps = network["steps"]
        excess = steps["gramian"]["temporary_bytes"] - steps["uniform"]["temporary_bytes"]
        assert excess <= 1.2 * network["gradient bytes"] + 8 * network["largest tensor bytes"]
