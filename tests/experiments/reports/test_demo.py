"""The demo."""

import json

import pytest

from experiments import models
from experiments.engine import timing
from experiments.engine.comparison import Protocol, Spread
from experiments.reports import demo


def history(accuracies, conflicts=None):
    encoders = [
        {} if conflicts is None else {"gray": {"cosine": 0.1, "conflict": share, "stationary": 0.0}}
        for share in (conflicts or accuracies)
    ]
    return [
        {"scores": {"joint": {"accuracy": accuracy}}, "encoders": encoder}
        for accuracy, encoder in zip(accuracies, encoders, strict=True)
    ]


def test_a_row_is_the_mean_over_seeds_of_the_last_five_epochs():
    histories = {
        "uniform": [
            history([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]),
            history([1.0, 0.5, 0.5, 0.5, 0.5, 0.5]),
        ],
        "mmpareto": [history([0.2] * 6, [1.0, 0.0] * 3), history([0.4] * 6, [0.0] * 6)],
    }
    speeds = {"uniform": [10.0, 20.0], "mmpareto": [5.0, 12.0]}
    uniform, mmpareto = demo.table_rows({"uniform": "U", "mmpareto": "M"}, histories, speeds)
    assert uniform.joint == pytest.approx((0.4, 0.2 / 2**0.5))
    assert mmpareto.joint == pytest.approx((0.3, 0.2 / 2**0.5))
    assert mmpareto.conflict_gray == pytest.approx((0.25, 0.5 / 2**0.5))
    assert mmpareto.speed == pytest.approx((0.55, 0.1 / 2**0.5))
    assert uniform.gray is None
    assert uniform.conflict_gray is None


def test_the_table_shows_what_was_not_measured_as_a_dash():
    row = demo.Row("joint", Spread(0.5, 0.25), None, None, None, None, Spread(2.0, 0))
    assert demo.markdown([row]).splitlines()[-1] == (
        "| joint | 50.0 ± 25.0 | – | – | – | – | 2.00 ± 0.00 |"
    )


def test_a_small_demo_runs_from_end_to_end(linear, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(models.MODELS, "cg-cnn", models.MODELS["linear"])
    monkeypatch.setattr(demo, "METHODS", {"uniform": "uniform", "mmpareto": "MMPareto"})
    monkeypatch.setattr(demo, "DIAGNOSED", ("uniform",))
    monkeypatch.setattr(timing, "TIMED_STEPS", 2)
    demo.main(Protocol(seeds=1, epochs=1), output=tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert [line.split(" | ")[0] for line in text.splitlines()[2:]] == ["| uniform", "| MMPareto"]
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["protocol"]["seeds"] == results["protocol"]["epochs"] == 1
    assert len(results["histories"]["mmpareto"][0]) == 1
    for name in ("accuracy", "cosine"):
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (tmp_path / f"{name}.svg").read_text()


def test_figures_leave_out_heads_that_a_method_does_not_train(tmp_path):
    demo.draw_accuracy(
        {"joint": "one joint loss"}, {"joint": [history([0.5, 0.6])]}, tmp_path / "a"
    )
    assert (tmp_path / "a.png").exists()
