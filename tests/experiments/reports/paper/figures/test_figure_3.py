"""Figure 3, from made-up measurements."""

import numpy as np

from experiments.reports.paper.figures.figure_3 import EXHIBIT


def marks(figure):
    """By label, the mark and the ends of its error bar."""
    (panel,) = figure.axes
    found = {}
    for container in panel.containers:
        line, _, (bar,) = container.lines
        ((ends,),) = [bar.get_segments()]
        found[container.get_label()] = (line.get_xydata()[0], ends[:, 0])
    return found


def ks(records, setting, encoder, epoch):
    return [
        record["measured"][encoder]["k"]
        for item, record in records.items()
        if (item.run.setting.name, item.epoch) == (setting, epoch)
    ]


def test_every_measured_k_is_a_mark_on_the_curve(scope, made_up):
    found = marks(EXHIBIT.draw(scope, made_up))
    assert len(found) == 12
    for name, last in (("cg-mnist", 4), ("cg-digits", 14)):
        for encoder in ("gray", "color"):
            for epoch in (0, 1, last):
                (x, y), ends = found[f"{name}, {encoder}, epoch {epoch}"]
                values = ks(made_up, name, encoder, epoch)
                k, deviation = np.mean(values), np.std(values, ddof=1)
                np.testing.assert_allclose([x, y], [k, (3 * k - 1) / (2 * k + 2)])
                np.testing.assert_allclose(ends, [k - deviation, k + deviation])


def test_the_curve_passes_the_papers_thresholds_and_covers_what_is_measured(scope, made_up):
    made_up[next(iter(made_up))]["measured"]["gray"]["k"] = 30.0
    (panel,) = EXHIBIT.draw(scope, made_up).axes
    curve = max(panel.lines, key=lambda line: len(line.get_xdata())).get_xydata()
    assert curve[0, 0] <= 0.5
    np.testing.assert_allclose(curve[-1, 0], 30)
    np.testing.assert_allclose(np.interp([1, 3], *curve.T), [0.5, 1], atol=1e-3)


def test_the_caption_counts_from_the_records(scope, made_up):
    means = {
        (name, encoder, epoch): np.mean(ks(made_up, name, encoder, epoch))
        for name, last in (("cg-mnist", 4), ("cg-digits", 14))
        for encoder in ("gray", "color")
        for epoch in (0, 1, last)
    }
    caption = EXHIBIT.text(scope, made_up)
    assert f"The mean k is above 1 in {sum(k > 1 for k in means.values())} of 12 cases" in caption
    assert f"above 3 in {sum(k > 3 for k in means.values())} of 12 cases" in caption
    assert "Not run" not in caption


def test_what_is_missing_is_left_out(scope, made_up):
    there = {item: x for item, x in made_up.items() if item.run.setting.name == "cg-digits"}
    assert len(marks(EXHIBIT.draw(scope, there))) == 6
    caption = EXHIBIT.text(scope, there)
    assert "of 6 cases" in caption
    assert "cg-mnist" not in caption


def test_nothing_measured_leaves_the_curve_alone(scope, tmp_path):
    figure = EXHIBIT.draw(scope, {})
    assert marks(figure) == {}
    assert "not run" in figure.axes[0].get_title()
    figure.savefig(tmp_path / "figure.png")


def test_a_variance_without_ratio_has_no_mark(scope, made_up):
    for item, record in made_up.items():
        if item.epoch == 0:
            record["measured"]["gray"]["k"] = None
    assert len(marks(EXHIBIT.draw(scope, made_up))) == 10
