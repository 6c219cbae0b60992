"""The colors of figures."""

import numpy as np
import pytest

from experiments.methods import METHODS, TITLES
from experiments.reports import demo, pictures
from experiments.reports.paper.exhibit import Scope
from experiments.reports.paper.figures import figure_1, figure_2
from experiments.reports.pictures import color_of


@pytest.fixture
def bars():
    """A function from a figure to the colors of the bars of each of its panels, by label."""

    def of(figure):
        return [
            {bar.get_label(): bar[0].get_facecolor() for bar in panel.containers}
            for panel in figure.axes
        ]

    return of


def test_methods_have_different_colors_and_nothing_else_has_them():
    colors = [*map(color_of, pictures.METHOD_COLORS), *pictures.OTHER_COLORS]
    assert len(set(colors)) == len(colors)
    assert set(pictures.METHOD_COLORS) <= set(METHODS)
    assert set(demo.METHODS) <= set(pictures.METHOD_COLORS)


def test_a_method_has_one_color_in_both_panels_of_bars(bars, monkeypatch):
    monkeypatch.setattr(figure_1, "accuracies", lambda *_: {0: 0.5, 1: 0.75})
    tasks, modalities = bars(figure_1.draw(Scope(), {}))[1:3]
    methods = {TITLES[name] for name in figure_1.METHODS}
    assert set(tasks) == methods
    assert set(modalities) == methods | {figure_1.SINGLE}
    assert all(tasks[name] == modalities[name] for name in methods)
    assert len(set(modalities.values())) == len(modalities)


def test_the_arrows_and_the_bars_of_a_method_have_the_same_color():
    for ours, title in (
        ("uniform",) * 2,
        ("pareto", "conventional Pareto"),
        ("mmpareto", "MMPareto"),
    ):
        for panel in figure_2.draw(Scope(), {}).axes:
            (line,) = [line for line in panel.lines if line.get_label() == title]
            assert line.get_color() == color_of(ours) == figure_1.COLORS[TITLES[ours]]


def test_lines_of_the_demo_have_the_colors_of_their_methods(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(demo, "save", lambda figure, path: drawn.append(figure))
    epoch = {"scores": {head: {"accuracy": 0.5} for head in demo.HEADS}}
    names = dict(reversed(demo.METHODS.items()))
    demo.draw_accuracy(names, {name: [[epoch, epoch]] for name in names}, tmp_path / "a")
    for panel in drawn[0].axes:
        found = {line.get_label(): line.get_color() for line in panel.lines}
        assert found == {title: color_of(name) for name, title in demo.METHODS.items()}
        assert np.unique(list(found.values())).size == len(found)
