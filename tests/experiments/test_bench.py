"""The benchmarks."""

import inspect
import json
import sys
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mmpareto_jax as mmp
from experiments.bench import cost, exactness, integration, optimality, peers, speed, step
from experiments.bench.ratio import Ratio, times_in_turns


def test_flops_of_a_matrix_product_are_counted():
    left, right = jnp.ones((8, 16)), jnp.ones((16, 4))
    compiled = jax.jit(jnp.matmul).lower(left, right).compile()
    assert step.flops(compiled) == 2 * 8 * 16 * 4


def test_programs_take_turns():
    calls = []
    programs = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = times_in_turns(programs, rounds=2, calls=2)
    assert calls == list("aabb" * 3)
    assert {name: values.shape for name, values in times.items()} == {"a": (2,), "b": (2,)}


def test_the_mmpareto_step_takes_at_most_1_68_times_the_flops_of_the_uniform_step():
    values = step.measure(rounds=1)
    assert values["FLOPs of the step, MMPareto over uniform"] <= 1.68


def test_the_table_is_saved_as_it_is_printed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(integration, "SHAPE", (10, 10))
    monkeypatch.setattr(step, "measure", lambda rounds: {"FLOPs": 1.5})
    cost.main(tmp_path, rounds=2)
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out
    values = json.loads((tmp_path / "results.json").read_text())["values"]
    assert values["FLOPs"] == 1.5
    assert set(values["its Gramian over reading the gradients"]) == set(Ratio._fields)


def test_both_steps_start_alike(monkeypatch):
    """The two steps that are compared compute the same losses."""
    losses = {}

    def record(programs, rounds, calls):
        losses.update({name: program()[2] for name, program in programs.items()})
        return {name: np.ones(rounds) for name in programs}

    monkeypatch.setattr(step, "times_in_turns", record)
    step.measure(rounds=1)
    for head, value in losses["uniform"].items():
        np.testing.assert_allclose(losses["mmpareto"][head], value, rtol=1e-6)


TINY = speed.Protocol(objectives=(2, 3), gramians=2, rounds=2)


def few(monkeypatch, *names):
    monkeypatch.setattr(mmp.weightings, "__all__", ["Weighting", "DWAState", *names])


def test_without_torchjd_our_weightings_are_timed_alone(tmp_path, capsys, monkeypatch):
    few(monkeypatch, "min_norm", "mmpareto")
    monkeypatch.setattr(peers, "installed", lambda: False)
    speed.main(TINY, tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert "| min_norm | – | – | – | – |" in text
    assert "torchjd" not in text
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["protocol"] == {"objectives": [2, 3], "gramians": 2, "rounds": 2}
    assert [(row["weighting"], row["objectives"]) for row in results["rows"]] == [
        ("min_norm", 2),
        ("min_norm", 3),
        ("mmpareto", 2),
        ("mmpareto", 3),
    ]
    assert all(row["microseconds"] > 0 and row["ratio"] is None for row in results["rows"])


def test_a_ratio_is_their_time_over_ours(monkeypatch):
    few(monkeypatch, "min_norm")
    monkeypatch.setattr(peers, "installed", lambda: True)
    monkeypatch.setattr(peers, "program", lambda *_: lambda: None)
    times = {"ours": np.array([1e-6, 2e-6]), "peer": np.array([3e-6, 8e-6])}
    monkeypatch.setattr(speed, "times_in_turns", lambda programs, rounds, calls: times)
    (row,) = speed.measure(speed.Protocol(objectives=(2,), gramians=1, rounds=2))
    assert row == ("min_norm", 2, 1.5, "MGDAWeighting", 5.5, Ratio(3.5, 3.0, 4.0))
    text = speed.markdown([row])
    assert "| min_norm | MGDAWeighting | – | 3.5 (3.0 to 4.0) |" in text
    assert "| min_norm | 2, 6 |" in text


def test_the_inputs_are_gramians_of_the_gradients():
    gramians, gradients, losses = speed.inputs(3, count=4)
    np.testing.assert_allclose(gradients @ np.swapaxes(gradients, 1, 2), gramians, rtol=1e-4)
    assert losses.shape == (4, 3)
    assert np.all(losses > 0)


@pytest.mark.parametrize("name", ["constant", "dwa", "famo", "gradvac", "min_norm", "random"])
def test_a_weighting_carries_its_state_through_the_calls(name):
    gramians, _, losses = speed.inputs(3, count=2)
    weights = speed.program(name, gramians, losses)
    for _ in range(3):
        assert weights().shape == (3,)


def test_what_has_no_peer_is_known():
    ours = {name for name, _ in inspect.getmembers(mmp.weightings, inspect.isfunction)}
    assert ours - set(peers.PEERS) == {"gradnorm", "metabalance", "mmpareto", "moco"}


@pytest.mark.skipif(not peers.installed(), reason="needs TorchJD: pip install '.[peers]'")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", sorted(peers.PEERS))
def test_torchjd_computes_weights_of_the_same_inputs(name):
    peer = peers.PEERS[name]
    weights = peers.program(peer, *speed.inputs(3, count=2))
    for _ in range(3):
        assert weights().shape == (3,)


CONFLICTING = np.array([[1.0, -2.0], [-2.0, 16.0]])
SOLVED = {  # by hand: a Gramian and its solution
    "min_norm": (np.diag([1.0, 3.0]), [0.75, 0.25]),
    "cagrad": (np.diag([4.0, 4.0]), [0.75, 0.75]),
    "dual_proj": (CONFLICTING, [1.0, 0.5]),
    "upgrad": (CONFLICTING, [[0.5, 0.0625], [1.0, 0.5]]),
    "fairgrad": (np.diag([1.0, 4.0]), [1.0, 0.5]),
    "nash_mtl": (np.diag([1.0, 4.0]), [1.0, 0.5]),
}


@pytest.mark.parametrize("method", optimality.METHODS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_every_residual_sees_the_scale_of_the_weights(method, scale):
    gramian, weights = SOLVED[method]
    gramian, weights = scale**2 * gramian, np.asarray(weights)
    if method in ("fairgrad", "nash_mtl"):
        weights = weights / scale
    residual = optimality.METHODS[method].residual
    assert residual(gramian, weights) < 1e-12
    for factor in (1e-3, 0.9, 1.1, 1e3):
        assert residual(gramian, factor * weights) > 0.01


def test_the_residual_of_cagrad_sees_a_direction_outside_the_ball():
    gramian, weights = SOLVED["cagrad"]
    longer = 0.5 + 1.1 * (np.asarray(weights) - 0.5)
    assert optimality.METHODS["cagrad"].residual(gramian, longer) > 0.01


def test_gradients_of_the_optimality_benchmark_have_all_scales():
    norms = [np.linalg.norm(g) for g in optimality.gradients(4)]
    assert min(norms) < 0.01
    assert max(norms) > 1000


def test_optimality_is_saved_as_it_is_printed(tmp_path, capsys, monkeypatch):
    module = SimpleNamespace(
        measure=lambda: [Ratio(1.0, 2.0, 3.0)], markdown=lambda rows: f"| {rows[0].median} |\n"
    )
    monkeypatch.setitem(sys.modules, "experiments.bench.optimality", module)
    exactness.main(tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert text.startswith("| 1.0 |\n\n`python -m experiments bench optimality` on ")
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["rows"] == [{"median": 1.0, "minimum": 2.0, "maximum": 3.0}]
