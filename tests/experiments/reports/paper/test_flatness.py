"""Figure 5 and the table of flatness, from made-up records."""

import io
import re
import warnings

import numpy as np
import pytest
from scipy import stats

from experiments.reports.paper.evidence import Measurement, Run, run_of
from experiments.reports.paper.exhibit import Scope
from experiments.reports.paper.figures import figure_5
from experiments.reports.paper.measurements import MEASUREMENTS
from experiments.reports.paper.tables import flatness as table_flatness

SCOPE = Scope("quick", seeds=5)

METHODS = ("uniform", "uniform-gamma", "pareto", "mmpareto")

STEPS = np.linspace(-1, 1, 21)


def made_up(item):
    """A record that depends on the item as a real one does."""
    run = run_of(item)
    random = np.random.default_rng([METHODS.index(run.method), run.seed, len(run.name)])
    scale = 1 + METHODS.index(run.method) + random.uniform(0, 0.2)
    if isinstance(item, Run):
        last = {"scores": {"joint": {"accuracy": scale / 10}}, "loss": {"joint": scale / 100}}
        return {"epochs": [{}, last]}
    if item.kind == "curvature":
        part = {
            "eigenvalue": 10 * scale,
            "residual": 0.01 * scale,
            "trace": 50 * scale,
            "trace_error": 2 * scale,
        }
        inner = {name: value / 2 for name, value in part.items()}
        return {"measured": {"all": part, "encoders": inner}}
    loss = scale * STEPS**2 + random.uniform(0, 0.1, (3, 1))
    return {
        "measured": {
            "steps": STEPS.tolist(),
            "loss": loss.tolist(),
            "accuracy": (0.9 / (1 + loss)).tolist(),
            "sharpness": scale / 4,
        }
    }


def records(exhibit, without=lambda item: False):
    return {item: made_up(item) for item in exhibit.needs(SCOPE) if not without(item)}


def rows(text):
    """By setting and method, the cells of the table."""
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    titles, _, *cells = [[cell.strip() for cell in line] for line in lines]
    return {(row[0], row[1]): dict(zip(titles[2:], row[2:], strict=True)) for row in cells}


def values(setting, method, kind, read):
    items = [Run(SCOPE.setting(setting), method, seed) for seed in range(3)]
    if kind:
        items = [Measurement(run, kind, run.epochs) for run in items]
    return np.array([read(made_up(item)) for item in items])


COLUMNS = {
    "largest eigenvalue": ("curvature", lambda r: r["measured"]["all"]["eigenvalue"]),
    "trace": ("curvature", lambda r: r["measured"]["all"]["trace"]),
    "largest eigenvalue, encoders": (
        "curvature",
        lambda r: r["measured"]["encoders"]["eigenvalue"],
    ),
    "trace, encoders": ("curvature", lambda r: r["measured"]["encoders"]["trace"]),
    "landscape sharpness": ("landscape", lambda r: r["measured"]["sharpness"]),
    "joint test accuracy (%)": (
        None,
        lambda r: 100 * r["epochs"][-1]["scores"]["joint"]["accuracy"],
    ),
    "training loss": (None, lambda r: r["epochs"][-1]["loss"]["joint"]),
}


@pytest.mark.parametrize("exhibit", [figure_5.EXHIBIT, table_flatness.EXHIBIT])
def test_what_they_need_can_be_measured_and_is_of_three_seeds(exhibit):
    needs = exhibit.needs(SCOPE)
    measurements = [item for item in needs if isinstance(item, Measurement)]
    assert {item.kind for item in measurements} <= set(MEASUREMENTS)
    assert {item.epoch - item.run.epochs for item in measurements} == {0}
    assert {item.run.seed for item in measurements} == {0, 1, 2}
    assert {(item.run.setting.name, item.run.method) for item in measurements} == {
        (setting, method) for setting in ("cg-mnist", "cg-digits") for method in METHODS
    }
    assert len(set(needs)) == len(needs)
    assert {item.run.seed for item in exhibit.needs(Scope(seeds=1)) if item in measurements} == {0}


def test_cells_are_the_means_and_deviations_over_seeds():
    table = rows(table_flatness.EXHIBIT.text(SCOPE, records(table_flatness.EXHIBIT)))
    assert set(table) == {
        (setting, name)
        for setting in ("cg-mnist", "cg-digits")
        for name in ("uniform", "uniform x gamma", "conventional Pareto", "MMPareto")
    }
    for setting in ("cg-mnist", "cg-digits"):
        for method, name in (("uniform", "uniform"), ("mmpareto", "MMPareto")):
            for column, (kind, read) in COLUMNS.items():
                over = values(setting, method, kind, read)
                mean, deviation = map(float, table[setting, name][column].split(" ± "))
                digits = {"abs": 0.051} if "%" in column else {"rel": 6e-3}
                assert mean == pytest.approx(over.mean(), **digits)
                assert deviation == pytest.approx(over.std(ddof=1), **digits)


def clauses(text, setting, name):
    (line,) = [x for x in text.splitlines() if x.startswith(f"* {setting}, {name} less uniform")]
    return line.split("seed by seed: ")[1].rstrip(".").split("; ")


def test_differences_have_students_interval():
    text = table_flatness.EXHIBIT.text(SCOPE, records(table_flatness.EXHIBIT))
    found = clauses(text, "cg-digits", "conventional Pareto")
    compared = [column for column, (kind, _) in COLUMNS.items() if kind]
    assert len(found) == len(compared)
    for clause, column in zip(found, compared, strict=True):
        kind, read = COLUMNS[column]
        differences = values("cg-digits", "pareto", kind, read) - values(
            "cg-digits", "uniform", kind, read
        )
        low, high = stats.ttest_1samp(differences, 0).confidence_interval(0.95)
        numbers = re.search(r"(\S+) ± (\S+) \(3 seeds\), (.*)$", clause)
        assert clause.startswith(column + " ")
        np.testing.assert_allclose(
            [float(x) for x in numbers.groups()[:2]],
            [differences.mean(), (high - low) / 2],
            rtol=6e-3,
        )
        assert numbers[3] == "sharper than uniform"  # by two, with a deviation of at most 0.1


@pytest.mark.parametrize(
    ("eigenvalues", "verdict"),
    [
        ((1.0, 1.1, 0.9), "flatter than uniform"),
        ((9.0, 9.1, 8.9), "sharper than uniform"),
        ((4.0, 5.0, 6.5), "cannot be told apart"),
    ],
)
def test_the_verdict_is_that_of_the_records(eigenvalues, verdict):
    given = records(table_flatness.EXHIBIT)
    for item, record in given.items():
        if isinstance(item, Measurement) and item.kind == "curvature":
            of_seed = {"uniform": 5.0, "mmpareto": eigenvalues[item.run.seed]}
            record["measured"]["all"]["eigenvalue"] = of_seed.get(item.run.method, 1.0)
    text = table_flatness.EXHIBIT.text(SCOPE, given)
    assert clauses(text, "cg-mnist", "MMPareto")[0].endswith(verdict)


def test_the_errors_of_the_estimates_are_said():
    text = table_flatness.EXHIBIT.text(SCOPE, records(table_flatness.EXHIBIT))
    assert "residual of an eigenvalue is at most 0.1 % of it" in text
    assert "error of a trace at most 4 % of it" in text


def test_what_was_not_measured_is_left_out():
    """Runs alone, which other tables need too, say nothing about flatness."""
    given = records(
        table_flatness.EXHIBIT,
        lambda item: run_of(item).setting.name == "cg-mnist" and isinstance(item, Measurement),
    )
    text = table_flatness.EXHIBIT.text(SCOPE, given)
    assert {setting for setting, _ in rows(text)} == {"cg-digits"}
    assert "cg-mnist" not in text
    only_runs = {item: record for item, record in given.items() if isinstance(item, Run)}
    assert table_flatness.EXHIBIT.text(SCOPE, only_runs) == ""


def test_one_run_of_a_method_is_not_compared():
    given = records(table_flatness.EXHIBIT, lambda item: run_of(item).seed > 0)
    text = table_flatness.EXHIBIT.text(SCOPE, given)
    assert clauses(text, "cg-mnist", "MMPareto")[0].endswith("fewer than two pairs of runs")


def test_refused_and_missing_records_count_as_not_there():
    def gone(item):
        return isinstance(item, Measurement) and (item.run.method, item.run.seed) == ("pareto", 1)

    given = records(table_flatness.EXHIBIT, gone)
    for item in given:
        if isinstance(item, Measurement) and item.run.method == "mmpareto":
            given[item] = {"refused": "it does not fit"}
    table = rows(table_flatness.EXHIBIT.text(SCOPE, given))
    kind, read = COLUMNS["trace"]
    both = values("cg-mnist", "pareto", kind, read)[[0, 2]]
    cell = table["cg-mnist", "conventional Pareto"]["trace"]
    assert cell.endswith(" (2 of 3 seeds)")
    assert float(cell.split(" ± ")[0]) == pytest.approx(both.mean(), rel=6e-3)
    assert table["cg-mnist", "MMPareto"]["trace"] == "–"
    assert table["cg-mnist", "MMPareto"]["training loss"] != "–"


def test_a_diverged_run_is_neither_flat_nor_sharp():
    given = records(table_flatness.EXHIBIT)
    for item, record in given.items():
        if isinstance(item, Measurement) and item.kind == "curvature":
            record["measured"]["all"]["eigenvalue"] = float("nan")
            record["measured"]["encoders"]["trace"] = 0.0
    text = table_flatness.EXHIBIT.text(SCOPE, given)
    assert clauses(text, "cg-mnist", "MMPareto")[0].endswith("not finite in every run")
    assert "residual of an eigenvalue is at most 0.1 % of it" in text


def panels(figure):
    """By title, the axes of the loss and of the accuracy."""
    left = [axes for axes in figure.axes if axes.get_title()]
    right = [axes for axes in figure.axes if not axes.get_title()]
    places = {axes.get_subplotspec().num1: axes for axes in right}
    return {axes.get_title(): (axes, places.get(axes.get_subplotspec().num1)) for axes in left}


def rendered(figure):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure.savefig(io.BytesIO(), format="png", dpi=20)


def test_the_figure_has_the_means_over_directions_and_seeds():
    figure = figure_5.EXHIBIT.draw(SCOPE, records(figure_5.EXHIBIT))
    rendered(figure)
    drawn = panels(figure)
    assert len(drawn) == 8
    loss, accuracy = drawn["cg-digits, MMPareto"]
    for axes, key, factor in ((loss, "loss", 1), (accuracy, "accuracy", 100)):
        curves = values("cg-digits", "mmpareto", "landscape", lambda r, key=key: r["measured"][key])
        (line,) = axes.get_lines()
        np.testing.assert_allclose(line.get_xdata(), STEPS)
        np.testing.assert_allclose(line.get_ydata(), factor * curves.mean(axis=(0, 1)))


def test_panels_of_a_row_have_one_scale():
    drawn = panels(figure_5.EXHIBIT.draw(SCOPE, records(figure_5.EXHIBIT)))
    row = [pair for title, pair in drawn.items() if title.startswith("cg-mnist")]
    assert len({loss.get_ylim() for loss, _ in row}) == 1
    assert {accuracy.get_ylim() for _, accuracy in row} == {(0, 100)}
    tops = [loss.get_lines()[0].get_ydata().max() for loss, _ in row]
    assert row[0][0].get_ylim()[1] >= max(tops)


def test_a_panel_without_records_says_so():
    given = records(figure_5.EXHIBIT, lambda item: item.run.method == "pareto")
    figure = figure_5.EXHIBIT.draw(SCOPE, given)
    rendered(figure)
    loss, accuracy = panels(figure)["cg-mnist, conventional Pareto"]
    assert [text.get_text() for text in loss.texts] == ["not run here"]
    assert accuracy is None
    text = figure_5.EXHIBIT.text(SCOPE, given)
    assert "conventional Pareto" not in text
    assert "* cg-mnist, MMPareto: sharpness " in text


def test_without_records_the_figure_is_still_drawn():
    scope = SCOPE._replace(methods=("uniform",))
    rendered(figure_5.EXHIBIT.draw(scope, {}))


def test_the_caption_has_the_mean_sharpness():
    text = figure_5.EXHIBIT.text(SCOPE, records(figure_5.EXHIBIT))
    over = values("cg-mnist", "mmpareto", "landscape", lambda r: r["measured"]["sharpness"])
    (line,) = [x for x in text.splitlines() if x.startswith("* cg-mnist, MMPareto")]
    assert line == f"* cg-mnist, MMPareto: sharpness {over.mean():.3g} (seeds: 3)."


def test_only_the_methods_that_are_asked_for():
    scope = SCOPE._replace(methods=("uniform", "mmpareto"))
    assert {item.run.method for item in figure_5.EXHIBIT.needs(scope)} == set(scope.methods)
    titles = panels(figure_5.EXHIBIT.draw(scope, {}))
    assert {title.split(", ")[1] for title in titles} == {"uniform", "MMPareto"}
    text = table_flatness.EXHIBIT.text(scope, records(table_flatness.EXHIBIT))
    assert "MMPareto" in text
    assert "conventional Pareto" not in text
