"""The panel of gradient magnitudes."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from experiments.reports.paper import magnitudes


@pytest.fixture
def panel():
    return Figure().subplots()


def test_every_mini_batch_is_in_a_bin_that_both_share(panel):
    norms = {"joint": [0.1, 0.2, 0.2], "unimodal": [0.3, 0.5, 0.9, 1.0]}
    magnitudes.draw(panel, {"norms": norms, "k": 2.345}, "gray encoder")
    joint, unimodal = panel.containers
    assert panel.get_title() == "gray encoder, k = 2.3"
    assert [text.get_text() for text in panel.get_legend().get_texts()] == ["joint", "unimodal"]
    assert sum(bar.get_height() for bar in joint) == 3
    assert sum(bar.get_height() for bar in unimodal) == 4
    edges = [[bar.get_x() for bar in bars] for bars in (joint, unimodal)]
    np.testing.assert_allclose(edges[0], edges[1])
    assert joint[0].get_facecolor() != unimodal[0].get_facecolor()


def test_what_was_not_run_says_so(panel):
    magnitudes.draw(panel, None, "gray encoder")
    assert panel.get_title() == "gray encoder"
    assert [text.get_text() for text in panel.texts] == ["not run here"]
    assert not panel.containers


def test_norms_that_are_no_numbers_are_left_out(panel):
    norms = {"joint": [0.1, None], "unimodal": [None, None]}
    magnitudes.draw(panel, {"norms": norms, "k": None}, "gray encoder")
    assert sum(bar.get_height() for bars in panel.containers for bar in bars) == 1
    assert panel.get_title() == "gray encoder"
