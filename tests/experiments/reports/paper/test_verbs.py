"""The verbs, from files to pages: every data set of the paper on a miniature of its files."""

import dataclasses
import json
import re

import pytest

from experiments import models
from experiments.config import Optimization
from experiments.errors import UserError
from experiments.reports.archive import Places
from experiments.reports.paper import verbs
from experiments.reports.paper.exhibit import Scope
from experiments.reports.paper.exhibits import EXHIBITS
from experiments.reports.paper.settings import SETTINGS

LINEAR = {"segnet": "dense", "lenet": "mean"}

TABLE = verbs.verbs("table")

SLOW = pytest.mark.slow


@pytest.fixture
def places(tmp_path, linear, few_steps, write_files, monkeypatch):
    """With files of the sets that a test names, small networks for all models, and one epoch."""
    for name in list(models.MODELS):
        if name not in ("linear", "dense", "mean"):
            monkeypatch.setitem(models.MODELS, name, models.MODELS[LINEAR.get(name, "linear")])

    for name, setting in SETTINGS["quick"].items():
        optimization = Optimization(batch_size=few_steps[setting.config.dataset], epochs=1)
        config = dataclasses.replace(setting.config, optimization=optimization)
        shorter = dataclasses.replace(setting, config=config)
        monkeypatch.setitem(SETTINGS["quick"], name, shorter)

    def make(*folders):
        for folder in folders:
            write_files(folder, tmp_path / "data" / folder)
        return Places(
            tmp_path / "data",
            tmp_path / "prepared",
            tmp_path / "results" / "paper",
            tmp_path / "runs",
            workers=0,
        )

    return make


@pytest.mark.parametrize(
    ("table", "folders", "methods"),
    [
        ("4", ["nyuv2"], ("uniform", "mmpareto")),
        pytest.param("5", ["mnist"], ("uniform", "mmpareto"), marks=SLOW),
        ("7", ["cmu-mosi", "uci-mfeat"], ("mmpareto", "greedy")),
        pytest.param("1", ["crema-d", "kinetics-sounds"], ("joint", "mmpareto"), marks=SLOW),
        pytest.param("2", ["crema-d", "kinetics-sounds"], ("uniform",), marks=SLOW),
        pytest.param("3", ["mnist", "modelnet40", "kinetics-sounds"], ("pcgrad",), marks=SLOW),
    ],
)
def test_a_table_is_made_from_the_files_of_its_sets(table, folders, methods, places, capsys):
    scope = Scope(seeds=1, methods=methods)
    where = places(*folders)
    TABLE[table](scope, where)
    text = capsys.readouterr().out
    assert f"## Table {table}. {EXHIBITS[f'table {table}'].title}\n" in text
    missing = re.findall(r"Not run here: (.*)", text)
    # Pretrained weights are no miniature's.
    assert bool(missing) == (table == "2")
    if missing:
        assert missing[0].count("no file vit.safetensors in the folder of data") == 2
    paths = (where.results_dir / "quick").glob("*.jsonl")
    lines = [json.loads(line) for path in paths for line in path.read_text().splitlines()]
    records = {line["name"]: line["record"] for line in lines}
    refused = {name for name, record in records.items() if "refused" in record}
    assert all("uci-mfeat/greedy" in name or "cmu-mosi/greedy" in name for name in refused)
    assert len(records) == len(EXHIBITS[f"table {table}"].needs(scope)) - 2 * (table == "2")
    TABLE[table](scope, where, run=False)  # from what is on disk alone
    again = capsys.readouterr().out.split("Not run here")[0]
    assert again.startswith("## Table ")
    assert text.split("Not run here")[0].endswith(again)
    assert not list(where.results_dir.glob("**/*.md"))


def test_without_its_files_a_table_says_what_is_missing(places, capsys):
    TABLE["4"](Scope(seeds=2), places())
    assert capsys.readouterr().out == (
        "Table 4. Multi-task methods on NYUv2\n"
        "Not run here: nyuv2 (all 16 runs: no folder nyuv2 in the folder of data).\n"
    )


def test_a_figure_is_printed_and_drawn(places, capsys):
    where = places()
    verbs.verbs("figure")["2"](Scope(), where)
    out = capsys.readouterr().out
    path = where.results_dir / "quick" / "figure-2"
    assert out.startswith("## Figure 2. How MMPareto integrates two gradients\n")
    assert out.endswith(f"\n{path}.png and .svg\n")
    assert path.with_suffix(".png").is_file()
    assert path.with_suffix(".svg").is_file()


def test_the_report_shows_what_was_measured_and_folds_the_rest(places, capsys):
    where = places()
    scope = Scope(seeds=1, methods=("uniform", "mmpareto"))
    TABLE["1"](scope._replace(methods=("mmpareto",)), where)
    capsys.readouterr()
    verbs.report(scope, where)
    folder = where.results_dir / "quick"
    text = (folder / "report.md").read_text()
    shown, folded = text.split("<details>")
    measured = {"table 1", "table 9", "table gamma", "table correlation", "figure 2"}
    for name, exhibit in EXHIBITS.items():
        title = f"{name.capitalize()}. {exhibit.title}"
        assert (f"\n## {title}\n" in shown) == (name in measured)
        assert (f"\n* **{title}**: " in folded) == (name != "figure 2")
    assert "crema-d (all 2 runs)" in folded
    assert (folder / "report.html").read_text().count("<h2") == len(measured) + 1
    assert {path.name for path in folder.glob("*.png")} == {"figure-2.png"}
    verbs.report(scope, where)
    assert (folder / "report.md").read_text() == text


@pytest.mark.parametrize(
    ("scope", "message"),
    [
        (Scope(methods=("magic",)), "unknown method 'magic': choose one of"),
        (Scope(seeds=0), "seeds must be positive, got 0"),
    ],
)
def test_bad_input_is_said_in_a_line(scope, message, places):
    with pytest.raises(UserError, match=message):
        TABLE["3"](scope, places())
    with pytest.raises(UserError, match=message):
        verbs.report(scope, places())
