"""Tables of methods, gamma, correlation and iterations from made-up records, against NumPy."""

import itertools

import numpy as np
import pytest
import scipy.stats

from experiments.data import DATASETS
from experiments.reports.paper.comparison_table import REFERENCE
from experiments.reports.paper.evidence import Measurement, Run, run_of
from experiments.reports.paper.exhibit import Scope
from experiments.reports.paper.exhibits import EXHIBITS
from experiments.reports.paper.figures import figure_1, figure_4
from experiments.reports.paper.settings import colors
from experiments.reports.paper.tables import (
    correlation as table_correlation,
)
from experiments.reports.paper.tables import (
    gamma as table_gamma,
)
from experiments.reports.paper.tables import (
    table_1,
    table_3,
    table_9,
)

SCOPE = Scope(seeds=3)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def made_up(item, rng):
    """A record of two epochs with scores at random."""
    if isinstance(item, Measurement):
        names = DATASETS[item.run.setting.config.dataset].encoders
        return {"measured": {name: scores(rng) for name in names}}
    trained = [h for h in DATASETS[item.setting.config.dataset].heads if h not in item.unheaded]
    if item.method == "unimodal":
        trained.remove("joint")
    norms = {"norms": [[1.0, 2.0]] * 2, "conflict": [0.0, 0.5]}
    return {
        "epochs": [
            {
                "step": 10 * epoch,
                "scores": {head: scores(rng) for head in trained},
                "encoders": {name: {"conflict": rng.uniform()} for name in item.setting.encoders},
                "trace": {
                    name: {
                        "cosine": rng.uniform(-1, 1, 2).tolist(),
                        "shortest": rng.uniform(0, 1, 2).tolist(),
                        **norms,
                    }
                    for name in item.setting.encoders
                },
            }
            for epoch in (1, 2)
        ]
    }


def scores(rng):
    return {"accuracy": rng.uniform(), "macro_f1": rng.uniform()}


def records_of(exhibit, rng, settings=None):
    return {
        item: made_up(item, rng)
        for item in exhibit.needs(SCOPE)
        if settings is None or run_of(item).setting.name in settings
    }


def cells(text, title, first):
    """The cells of a row, of the table below a title."""
    table = text.split(f"**{title}")[1] if title else text
    (row, *_) = [line for line in table.splitlines() if line.startswith(f"| {first} |")]
    return [cell.strip() for cell in row.strip("|").split("|")]


def over(values):
    return f"{100 * np.mean(values):.1f} ± {100 * np.std(values, ddof=1):.1f}"


def gap(ours, theirs):
    interval = scipy.stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    mean = np.mean(np.subtract(ours, theirs))
    text = f"{100 * mean:+.1f} ± {100 * (interval.high - mean):.1f}"
    return text if interval.low < 0 < interval.high else f"**{text}**"


def test_a_row_has_last_best_paper_and_differences(rng):
    records = records_of(table_3.EXHIBIT, rng, {"cg-mnist"})
    runs = {
        method: [records[Run(SCOPE.setting("cg-mnist"), method, seed)] for seed in range(3)]
        for method in ("pcgrad", REFERENCE)
    }
    last, reference = (
        [run["epochs"][-1]["scores"]["joint"]["accuracy"] for run in runs[method]]
        for method in ("pcgrad", REFERENCE)
    )
    best = [max(e["scores"]["joint"]["accuracy"] for e in run["epochs"]) for run in runs["pcgrad"]]
    row = cells(table_3.EXHIBIT.text(SCOPE, records), "CG-MNIST", "PCGrad")
    assert row[1:5] == [
        over(last),
        over(best),
        "79.35",
        f"{100 * np.mean(last) - 79.35:+.1f}",
    ]
    assert row[5] == gap(last, reference)


def test_a_data_set_that_was_not_run_is_left_out(rng):
    text = table_3.EXHIBIT.text(SCOPE, records_of(table_3.EXHIBIT, rng, {"cg-mnist"}))
    assert "**CG-MNIST**" in text
    assert "ModelNet40" not in text
    assert text.count("\n|---|") == 1


def test_a_method_that_was_not_run_has_the_papers_number_alone(rng):
    records = records_of(table_3.EXHIBIT, rng, {"cg-mnist"})
    there = {item: record for item, record in records.items() if item.method != "mmpareto"}
    row = cells(table_3.EXHIBIT.text(SCOPE, there), "CG-MNIST", "MMPareto")
    assert row == ["MMPareto", "–", "–", "81.88", "–", "–", "–", "–", "81.69", "–"]


def test_columns_without_a_number_are_left_out(rng):
    scope = SCOPE._replace(methods=("uniform-gamma",))
    text = table_3.EXHIBIT.text(scope, records_of(table_3.EXHIBIT, rng, {"cg-mnist"}))
    assert "| method | acc., last | best | last − uniform | macro F1, last | best |\n" in text


def test_a_head_that_is_not_trained_is_probed_and_marked(rng):
    records = records_of(table_1.EXHIBIT, rng, {"cg-digits"})
    runs = [Run(SCOPE.setting("cg-digits"), "joint", seed) for seed in range(3)]
    probed = [
        records[Measurement(run, "probe", run.epochs)]["measured"]["gray"]["accuracy"]
        for run in runs
    ]
    text = table_1.EXHIBIT.text(SCOPE, records)
    assert cells(text, "Colored", "one joint loss")[6] == over(probed) + "\\*"
    assert "\\*" not in cells(text, "Colored", "MMPareto")[6]
    assert cells(text, "Colored", "each modality by itself")[1] == "–"


def test_a_refused_method_is_a_slash(rng):
    exhibit = EXHIBITS["table 7"]
    records = records_of(exhibit, rng, {"uci-mfeat"})
    for seed in range(3):
        records[Run(SCOPE.setting("uci-mfeat"), "greedy", seed)] = {"refused": "too many"}
    assert cells(exhibit.text(SCOPE, records), "Six", "Greedy")[1:3] == ["/", "/"]


def test_only_the_methods_that_are_asked_for(rng):
    scope = SCOPE._replace(methods=("uniform", "mmpareto"))
    needed = table_3.EXHIBIT.needs(scope)
    assert {item.method for item in needed} == {"uniform", "mmpareto"}
    text = table_3.EXHIBIT.text(scope, records_of(table_3.EXHIBIT, rng))
    assert "PCGrad" not in text
    assert "MMPareto" in text


def test_the_gain_is_split_into_magnitude_and_direction(rng):
    records = records_of(table_gamma.EXHIBIT, rng, {"cg-digits"})
    setting = SCOPE.setting("cg-digits")
    ours, scaled, uniform = (
        [records[run(seed)]["epochs"][-1]["scores"]["joint"]["accuracy"] for seed in range(3)]
        for run in (
            lambda seed: Run(setting, "mmpareto", seed, 2.0),
            lambda seed: Run(setting, "uniform-gamma", seed, 2.0),
            lambda seed: Run(setting, "uniform", seed),
        )
    )
    text = table_gamma.EXHIBIT.text(SCOPE, records)
    assert cells(text, "Colored", "2")[1:] == [
        over(ours),
        over(scaled),
        gap(ours, uniform),
        gap(scaled, uniform),
        gap(ours, scaled),
    ]
    # A factor of one is the uniform baseline.
    assert cells(text, "Colored", "1")[2] == over(uniform)


def test_the_direction_is_compared_in_every_setting(rng):
    records = records_of(table_gamma.EXHIBIT, rng)
    setting = SCOPE.setting("multi-mnist")
    ours, scaled = (
        [
            records[Run(setting, method, seed)]["epochs"][-1]["scores"]["right"]["accuracy"]
            for seed in range(3)
        ]
        for method in ("mmpareto", "uniform-gamma")
    )
    table = table_gamma.EXHIBIT.text(SCOPE, records).split("**All settings")[1]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if "| right |" in line]
    assert [row[2] for row in rows] == [over(ours)]
    assert rows[0][-1] == gap(ours, scaled)


def test_conflict_stands_beside_the_correlation(rng):
    records = records_of(table_correlation.EXHIBIT, rng)
    runs = [records[Run(colors("quick", 0.5), "uniform", seed)] for seed in range(3)]
    shares = [np.mean([e["encoders"]["gray"]["conflict"] for e in run["epochs"]]) for run in runs]
    row = cells(table_correlation.EXHIBIT.text(SCOPE, records), "", "0.5")
    assert row[1] == over(shares)


@pytest.mark.parametrize(
    ("shortest", "tolerance", "steps"),
    [
        ([[4.0, 2.0], [0.3, 0.1]], 0.1, 15),
        ([[4.0, 2.0], [0.3, 0.1]], 0.03, 20),
        ([[4.0, 2.0], [0.3, 0.1]], 0.01, np.inf),
        ([[4.0, 0.1], [3.0, 3.0]], 0.1, 10),
    ],
)
def test_stationarity_is_the_first_part_below_the_tolerance(shortest, tolerance, steps):
    record = {
        "epochs": [
            {"step": 10 * (i + 1), "trace": {"gray": {"shortest": part}}}
            for i, part in enumerate(shortest)
        ]
    }
    assert table_9.iterations(record, "gray", tolerance) == steps
    assert table_9.smallest(record, "gray") == pytest.approx(np.min(shortest) / 4)


def test_a_run_that_never_gets_there_ranks_last(rng):
    records = records_of(table_9.EXHIBIT, rng, {"cg-digits"})
    for (item, record), last in zip(records.items(), (0.05, 0.5, 0.5), strict=True):
        for epoch, parts in zip(record["epochs"], ([1.0, 0.5], [0.5, last]), strict=True):
            epoch["trace"]["gray"]["shortest"] = parts
        assert item.method == "mmpareto"
    row = cells(table_9.EXHIBIT.text(SCOPE, records), "", "cg-digits")
    assert row[1:4] == ["gray", "never (20 to never)", "never"]


def test_iterations_of_the_paper_stand_beside_ours(rng):
    records = records_of(table_9.EXHIBIT, rng, {"cg-digits", "crema-d"})
    text = table_9.EXHIBIT.text(SCOPE, records)
    assert cells(text, "", "crema-d")[1:3] == ["audio", "3098"]
    assert cells(text, "", "cg-digits")[1:3] == ["gray", "–"]
    assert "kinetics-sounds" not in text


@pytest.mark.parametrize("figure", [figure_1, figure_4])
def test_figures_are_drawn_from_what_is_there(figure, rng, made_up_noise):
    needs = figure.EXHIBIT.needs(SCOPE)
    whole = {
        item: made_up_noise(item) if isinstance(item, Measurement) else made_up(item, rng)
        for item in needs
    }
    part = dict(itertools.islice(whole.items(), 4))
    for records in (whole, part, {}):
        drawn = figure.EXHIBIT.draw(SCOPE, records)
        notes = [text.get_text() for axis in drawn.axes for text in axis.texts]
        assert any("not run" in note for note in notes) == (records is not whole)
        assert ("conflict" in figure.EXHIBIT.text(SCOPE, records)) == bool(records)


def test_the_bars_are_the_accuracies_of_the_runs(rng):
    records = {
        item: made_up(item, rng) for item in figure_1.EXHIBIT.needs(SCOPE) if isinstance(item, Run)
    }
    setting = SCOPE.setting("cg-mnist")

    def reached(method, head):
        return {
            seed: records[Run(setting, method, seed)]["epochs"][-1]["scores"][head]["accuracy"]
            for seed in range(3)
        }

    alone, ours, uniform = (reached(m, "gray") for m in ("unimodal", "mmpareto", "uniform"))
    found = figure_1.bars(SCOPE, records)["single loss"]
    assert found == {"joint": reached("joint", "joint"), "gray": alone}
    row = cells(figure_1.EXHIBIT.text(SCOPE, records), "", "MMPareto")
    assert row[4:] == [
        over(list(ours.values())),
        gap(list(ours.values()), list(uniform.values())),
        gap(list(ours.values()), list(alone.values())),
    ]


@pytest.mark.parametrize("name", EXHIBITS)
def test_without_records_an_exhibit_has_no_text(name):
    exhibit = EXHIBITS[name]
    for scope in (SCOPE, SCOPE._replace(preset="paper")):
        assert bool(exhibit.text(scope, {})) == (not exhibit.needs(scope))
