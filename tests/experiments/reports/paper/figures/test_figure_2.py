"""The illustration, against the closed form of the paper."""

import numpy as np
import pytest

from experiments.reports.paper.exhibit import Scope
from experiments.reports.paper.figures import figure_2


@pytest.mark.parametrize("case", figure_2.CASES)
def test_the_arrows_are_those_of_the_algorithm(case):
    joint, unimodal = (np.array(vector) for vector in figure_2.CASES[case])
    gap = joint - unimodal
    alpha = np.clip(-(unimodal @ gap) / (gap @ gap), 0, 1)
    shortest = 2 * alpha * joint + 2 * (1 - alpha) * unimodal
    direction = joint + unimodal if joint @ unimodal >= 0 else shortest
    length = 1.5 * np.linalg.norm(joint + unimodal)
    found = figure_2.integrated(case)
    assert found["uniform"] == pytest.approx(joint + unimodal, rel=1e-5)
    assert found["MMPareto"] == pytest.approx(
        length * direction / np.linalg.norm(direction), rel=1e-5
    )
    pareto = found["conventional Pareto"]
    assert pareto == pytest.approx(shortest, rel=1e-5)


def test_the_cases_are_what_their_names_say():
    for name, (joint, unimodal) in figure_2.CASES.items():
        assert (np.dot(joint, unimodal) < 0) == (name == "conflict")


def test_every_vector_is_drawn_inside_the_panel():
    figure = figure_2.EXHIBIT.draw(Scope(), {})
    for panel, case in zip(figure.axes, figure_2.CASES, strict=True):
        assert len(panel.texts) == 5
        ends = [*figure_2.CASES[case], *figure_2.integrated(case).values()]
        for end in ends:
            assert panel.get_xlim()[0] < end[0] < panel.get_xlim()[1]
            assert panel.get_ylim()[0] < end[1] < panel.get_ylim()[1]
