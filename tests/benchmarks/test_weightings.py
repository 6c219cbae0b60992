import inspect
import json

import numpy as np
import pytest

import mmpareto_jax as mmp
from benchmarks import weightings
from benchmarks._problems import torchjd
from experiments.engine.timing import Ratio

TINY = weightings.Protocol(objectives=(2, 3), gramians=2, rounds=2)


def few(monkeypatch, *names):
    monkeypatch.setattr(mmp.weightings, "__all__", ["Weighting", "DWAState", *names])


def test_without_torchjd_our_weightings_are_timed_alone(tmp_path, capsys, monkeypatch):
    few(monkeypatch, "min_norm", "mmpareto")
    monkeypatch.setattr(torchjd, "installed", lambda: False)
    weightings.main(TINY, tmp_path)
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
    monkeypatch.setattr(torchjd, "installed", lambda: True)
    monkeypatch.setattr(torchjd, "program", lambda *_: lambda: None)
    times = {"ours": np.array([1e-6, 2e-6]), "peer": np.array([3e-6, 8e-6])}
    monkeypatch.setattr(weightings, "times_in_turns", lambda programs, rounds, calls: times)
    (row,) = weightings.measure(weightings.Protocol(objectives=(2,), gramians=1, rounds=2))
    assert row == ("min_norm", 2, 1.5, "MGDAWeighting", 5.5, Ratio(3.5, 3.0, 4.0))
    text = weightings.markdown([row])
    assert "| min_norm | MGDAWeighting | – | 3.5 (3.0 to 4.0) |" in text
    assert "| min_norm | 2, 6 |" in text


def test_the_inputs_are_gramians_of_the_gradients():
    gramians, gradients, losses = weightings.inputs(3, count=4)
    np.testing.assert_allclose(gradients @ np.swapaxes(gradients, 1, 2), gramians, rtol=1e-4)
    assert losses.shape == (4, 3)
    assert np.all(losses > 0)


@pytest.mark.parametrize("name", ["constant", "dwa", "famo", "gradvac", "min_norm", "random"])
def test_a_weighting_carries_its_state_through_the_calls(name):
    gramians, _, losses = weightings.inputs(3, count=2)
    weights = weightings.program(name, gramians, losses)
    for _ in range(3):
        assert weights().shape == (3,)


def test_what_has_no_peer_is_known():
    ours = {name for name, _ in inspect.getmembers(mmp.weightings, inspect.isfunction)}
    assert ours - {*torchjd.PEERS, *mmp.weightings.COMBINATORS} == {
        "gradnorm",
        "metabalance",
        "mmpareto",
        "moco",
    }


@pytest.mark.skipif(not torchjd.installed(), reason="needs TorchJD: pip install '.[peers]'")
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("name", sorted(torchjd.PEERS))
def test_torchjd_computes_weights_of_the_same_inputs(name):
    peer = torchjd.PEERS[name]
    weights = torchjd.program(peer, *weightings.inputs(3, count=2))
    for _ in range(3):
        assert weights().shape == (3,)
