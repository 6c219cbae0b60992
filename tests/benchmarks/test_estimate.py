"""The calculation for large systems, and that it counts the bytes that compiled programs move."""

import json
from pathlib import Path

import pytest

from benchmarks import estimate

ROOT = Path(__file__).parents[2]
MEASURED = json.loads((ROOT / "results/bench-communication/results.json").read_text())["meshes"]


@pytest.mark.parametrize("mesh", MEASURED, ids=lambda mesh: f"{mesh['devices']} devices")
@pytest.mark.parametrize("name", estimate.estimate(estimate.System()))
def test_the_calculated_bytes_are_those_of_the_compiled_steps(mesh, name):
    system = estimate.System(mesh["parameters"], objectives=2, chips=mesh["devices"])
    moved = estimate.estimate(system)[name].moved
    assert moved == pytest.approx(mesh["steps"][name]["bytes"], rel=0.005)


def test_one_chip_sends_nothing():
    steps = estimate.estimate(estimate.System(chips=1))
    assert all(step.moved == 0 and step.communicating == 0 for step in steps.values())


def test_seconds_of_a_large_system_by_hand():
    system = estimate.System(
        parameters=1e9,
        objectives=3,
        chips=4,
        link_gbps=80,
        memory_gbs=1000,
        uniform_seconds=3,
        gradient_bytes=2,
    )
    step = estimate.estimate(system)["exact on shards"]
    assert step.moved == 4 * 2e9 * 3 / 4
    assert step.communicating == pytest.approx(0.6)
    assert step.computing == pytest.approx(7)
    assert step.integrating == pytest.approx(7 * 2e9 / 4 / 1e12)
    assert step.seconds == pytest.approx(7.6, abs=0.01)


def test_the_table_is_saved_as_it_is_printed(tmp_path, capsys):
    estimate.main(estimate.System(chips=8), tmp_path)
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out
    assert json.loads((tmp_path / "results.json").read_text())["system"]["chips"] == 8
