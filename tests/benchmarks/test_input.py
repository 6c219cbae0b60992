"""Whether training waits for data."""

import json

from benchmarks import input as input_benchmark
from experiments.data.miniatures import crema_d

TINY = input_benchmark.Protocol(
    clips=12, model="linear", batch_size=2, steps=1, workers=(0,), rounds=2
)


def test_the_pipeline_is_measured_against_the_step(linear, tmp_path, monkeypatch):
    monkeypatch.setattr(crema_d, "AS_PUBLISHED", {})
    input_benchmark.main(TINY, output=tmp_path)
    results = json.loads((tmp_path / "results.json").read_text())
    rates = results["by round"]
    assert rates.keys() == {"step", "pipeline 0", "training 0", "waiting 0"}
    assert all(len(values) == 2 for values in rates.values())
    assert all(0 <= share <= 1 for share in rates.pop("waiting 0"))
    assert all(value > 0 for values in rates.values() for value in values)
    assert results["clips per second of preparation"]["0"] > 0
    rows = (tmp_path / "table.md").read_text().split("\n\n")[0].splitlines()
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| 0"]


def test_the_clips_of_a_folder_are_measured_in_place_of_made_ones(linear, tmp_path, monkeypatch):
    crema_d.write(tmp_path / "files", seconds=0.2)
    monkeypatch.delattr(crema_d, "write")
    input_benchmark.main(TINY, tmp_path / "files", tmp_path / "output")
    assert (tmp_path / "output" / "table.md").exists()
