"""The table of methods."""

import json

import pytest

from experiments import models
from experiments.engine import comparison
from experiments.engine.comparison import Protocol
from experiments.errors import UserError
from experiments.methods import INTEGRATIONS
from experiments.reports import methods as table


def history(accuracies, conflict=None, loss=1.0):
    encoders = {} if conflict is None else {"gray": {"conflict": conflict}}
    return [
        {"scores": {"joint": {"accuracy": value}}, "encoders": encoders, "loss": {"joint": loss}}
        for value in accuracies
    ]


def test_an_outcome_is_a_number_a_seed():
    values = table.outcome([history([0.0, *[0.5] * 5], 0.25), history([0.75] * 6, 0.5)])
    assert values.joint == [0.5, 0.75]
    assert values.conflict_gray == [0.25, 0.5]
    assert values.gray is values.color is values.conflict_color is None
    assert values.diverged == [False, False]


@pytest.mark.parametrize("loss", [float("nan"), float("inf")])
def test_a_run_that_diverges_stays_and_is_counted(loss):
    good, bad = history([0.5] * 6), [*history([0.5]), *history([0.1] * 5, loss=loss)]
    outcomes = {"uniform": table.outcome([good, good]), "wild": table.outcome([good, bad])}
    assert outcomes["wild"].diverged == [False, True]
    assert outcomes["wild"].joint == pytest.approx([0.5, 0.1])
    assert table.markdown(outcomes).splitlines()[-1] == (
        "| wild | 30.0 ± 28.3 | – | – | -20.0 ± 28.3 | – | – | 1 of 2 |"
    )


def test_differences_are_paired_by_seed():
    outcomes = {
        "uniform": table.outcome([history([0.25] * 5), history([0.5] * 5)]),
        "better": table.outcome([history([0.5] * 5), history([0.75] * 5)]),
    }
    assert "| 25.0 ± 0.0 |" in table.markdown(outcomes)


def test_all_methods_are_compared_by_default_and_the_reference_always():
    assert table.chosen(()) == list(INTEGRATIONS)
    assert table.chosen(("mmpareto", "pareto")) == ["uniform", "pareto", "mmpareto"]
    with pytest.raises(UserError, match="unknown method 'magic': choose among"):
        table.chosen(("mmpareto", "magic"))


def test_the_protocol_is_the_same_for_every_method():
    protocol = Protocol()
    assert (protocol.epochs, protocol.learning_rate, protocol.gamma) == (14, 0.02, 1.5)
    assert {protocol.config(method).optimization for method in INTEGRATIONS} == {
        protocol.optimization
    }
    assert comparison.LAST_EPOCHS == 5


def test_a_small_table_runs_from_end_to_end(linear, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(models.MODELS, "cg-cnn", models.MODELS["linear"])
    protocol = Protocol(seeds=2, epochs=1)
    table.main(protocol, methods=("joint", "grad-drop", "mmpareto"), output=tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert text in capsys.readouterr().out
    rows = [line.split(" | ") for line in text.splitlines()[2:] if line.startswith("| ")]
    assert [row[0] for row in rows] == ["| joint", "| uniform", "| mmpareto", "| grad-drop"]
    assert [row[-1] for row in rows] == ["0 of 2 |"] * 4
    assert [row[5] == "–" for row in rows] == [True, False, False, True]
    results = json.loads((tmp_path / "results.json").read_text())
    command = "table methods --seeds 2 --epochs 1 --methods joint grad-drop mmpareto"
    assert results["command"].endswith(command)
    assert command in text
    assert results["protocol"]["seeds"] == 2
    assert len(results["methods"]["mmpareto"]["joint"]) == 2
    assert results["methods"]["grad-drop"]["conflict_gray"] is None
