"""The table of the noise, from made-up measurements."""

import numpy as np
import pytest
import scipy.stats

from experiments.reports.paper.tables.noise import EXHIBIT


def cells(text):
    """The rows by setting, encoder and epoch."""
    rows = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| cg")]
    return {tuple(row[:3]): row[3:] for row in rows}


def of_place(records, setting, encoder, epoch):
    return [
        record["measured"][encoder]
        for item, record in records.items()
        if (item.run.setting.name, item.epoch) == (setting, epoch)
    ]


def formatted(values):
    return f"{np.mean(values):.2f} ± {np.std(values, ddof=1):.2f}"


def test_it_needs_uniform_runs_before_training_after_one_epoch_and_after_the_last(scope):
    needed = EXHIBIT.needs(scope)
    assert {(item.run.setting.name, item.epoch) for item in needed} == {
        ("cg-mnist", 0),
        ("cg-mnist", 1),
        ("cg-mnist", 4),
        ("cg-digits", 0),
        ("cg-digits", 1),
        ("cg-digits", 14),
    }
    assert len(set(needed)) == 18
    assert {(item.kind, item.run.method) for item in needed} == {("gradients", "uniform")}


def test_every_cell_is_the_spread_over_seeds(scope, made_up):
    table = cells(EXHIBIT.text(scope, made_up))
    assert len(table) == 12
    for (setting, encoder, epoch), (seeds, *row) in table.items():
        every = of_place(made_up, setting, encoder, int(epoch))
        expected = [
            [np.mean(m["norms"]["unimodal"]) / np.mean(m["norms"]["joint"]) for m in every],
            [m["variance"]["unimodal"] / m["variance"]["joint"] for m in every],
            [m["correlation"] for m in every],
            [m["alpha"] for m in every],
            [m["alpha_above_half"] for m in every],
            [m["variance"]["pareto"] / m["variance"]["uniform"] for m in every],
            [m["formula"]["pareto"] / m["formula"]["uniform"] for m in every],
            [m["variance"]["mmpareto-gamma-1.5"] / m["variance"]["uniform"] for m in every],
        ]
        assert seeds == "3"
        assert row == [formatted(values) for values in expected]


def test_answers_are_counted(scope, made_up):
    text = EXHIBIT.text(scope, made_up)
    means = {
        place: [float(cell.split(" ± ")[0]) for cell in row[1:]]
        for place, row in cells(text).items()
    }
    assert not any(1.0 in (row[1], row[5], row[6], row[7]) for row in means.values())

    def count(holds):
        gray, color = (
            [holds(row) for place, row in means.items() if place[1] == name]
            for name in ("gray", "color")
        )
        return (
            f"{sum(gray) + sum(color)} of 12 cases (gray {sum(gray)} of 6, color {sum(color)} of 6)"
        )

    same = sum((row[5] < 1) == (row[6] < 1) for row in means.values())
    correlations = [row[2] for row in means.values()]
    for sentence in (
        f"Unimodal gradients are longer than joint ones in {count(lambda row: row[0] > 1)}.",
        f"Their variance is larger in {count(lambda row: row[1] > 1)}, more than three times as "
        f"large in {count(lambda row: row[1] > 3)}.",
        f"is above 1/2 in {count(lambda row: row[3] > 0.5)}.",
        f"is between {min(correlations):.2f} and {max(correlations):.2f}.",
        f"less noise than the uniform sum in {count(lambda row: row[5] < 1)}; by the paper's "
        f"formula in {count(lambda row: row[6] < 1)}. The two agree in {same} of 12 cases.",
        f"MMPareto has more noise than the uniform sum in {count(lambda row: row[7] > 1)}.",
    ):
        assert sentence in text


def test_missing_and_refused_measurements_are_left_out_and_do_not_count(scope, made_up):
    first, refused, *_ = made_up
    there = {first: made_up[first], refused: {"refused": "the batch is too large"}}
    text = EXHIBIT.text(scope, there)
    table = cells(text)
    name, epoch = first.run.setting.name, str(first.epoch)
    assert set(table) == {(name, "gray", epoch), (name, "color", epoch)}
    for row in table.values():
        assert row[0] == "1"
        assert all(cell.endswith("± 0.00") for cell in row[1:])
    assert "of 2 cases (gray" in text


def test_numbers_that_no_seed_has_are_dashes(scope, made_up):
    for record in made_up.values():
        for encoder in record["measured"].values():
            encoder["correlation"] = None
    text = EXHIBIT.text(scope, made_up)
    assert {row[3] for row in cells(text).values()} == {"–"}
    assert "The correlation of the two gradients, zero in the paper, is not a number." in text


@pytest.mark.parametrize("value", ["k", "correlation"])
def test_a_number_that_one_seed_lacks_is_that_of_the_others(scope, made_up, value):
    first = next(iter(made_up))
    encoder = made_up[first]["measured"]["gray"]
    made_up[first]["measured"]["gray"] = {**encoder, value: None}
    name, epoch = first.run.setting.name, first.epoch
    row = cells(EXHIBIT.text(scope, made_up))[name, "gray", str(epoch)]
    left = [m[value] for m in of_place(made_up, name, "gray", epoch)[1:]]
    assert row[1 + ["norm", "k", "correlation"].index(value)] == formatted(left)


def test_gradients_that_were_not_finite_have_no_mean_norm(scope, made_up):
    for record in made_up.values():
        record["measured"]["gray"]["norms"]["joint"][0] = None
    table = cells(EXHIBIT.text(scope, made_up))
    assert {row[1] for place, row in table.items() if place[1] == "gray"} == {"–"}
    assert "–" not in {row[1] for place, row in table.items() if place[1] == "color"}


def test_what_the_seeds_tell_is_counted(scope, made_up):
    signs = []
    for setting, encoder, epoch in cells(EXHIBIT.text(scope, made_up)):
        every = of_place(made_up, setting, encoder, int(epoch))
        ratios = [m["variance"]["pareto"] / m["variance"]["uniform"] for m in every]
        interval = scipy.stats.ttest_1samp(ratios, 1).confidence_interval(0.95)
        signs.append((interval.low > 1, interval.high < 1))
    above, below = np.sum(signs, axis=0)
    sentence = f"Pareto is above 1 in {above} and below in {below} of 12 cases"
    assert f"; {sentence};" in EXHIBIT.text(scope, made_up)
