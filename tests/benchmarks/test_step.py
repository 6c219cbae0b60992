import json

import numpy as np

from benchmarks import step


def test_the_mmpareto_step_takes_at_most_1_68_times_the_flops_of_the_uniform_step():
    values = step.of_the_step(rounds=1)
    assert values["FLOPs of the step, MMPareto over uniform"] <= 1.68


def test_the_table_is_saved_as_it_is_printed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(step, "SHAPE", (10, 10))
    monkeypatch.setattr(step, "of_the_step", lambda rounds: {"FLOPs": 1.5})
    step.main(tmp_path, rounds=2)
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out
    values = json.loads((tmp_path / "results.json").read_text())["values"]
    assert values["FLOPs"] == 1.5
    assert set(values["its Gramian over reading the gradients"]) == {"median", "minimum", "maximum"}


def test_both_steps_start_alike(monkeypatch):
    """The two steps that are compared compute the same losses."""
    losses = {}

    def record(programs, rounds, calls):
        losses.update({name: program()[2] for name, program in programs.items()})
        return {name: np.ones(rounds) for name in programs}

    monkeypatch.setattr(step, "times_in_turns", record)
    step.of_the_step(rounds=1)
    for head, value in losses["uniform"].items():
        np.testing.assert_allclose(losses["mmpareto"][head], value, rtol=1e-6)
