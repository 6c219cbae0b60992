"""Figure 3: the weight of the joint gradient below which conventional Pareto has less noise."""

from typing import TYPE_CHECKING

import numpy as np

from experiments.reports.archive import Records
from experiments.reports.paper import noise
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.paper.measurements.gradients import bound
from experiments.reports.paper.noise import Measured, Noise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN = (0.5, 8.0)
"""The range of k in which the curve is drawn; measured values outside extend it."""

THRESHOLDS = ((1.0, 0.5), (3.0, 1.0))
"""The two values of k that the paper names, each with the value of the curve. By its formula, some
weight of the joint gradient reduces the noise above the first, and every weight above 1/2 does so
above the second."""

TICKS = (0.5, 1, 2, 3, 5, 8, 30, 100, 300, 1000)

FIRST, LAST = {0: "o", 1: "s"}, "^"
"""Markers by epoch: before training, after the first epoch, and after the last."""


def text(scope: Scope, records: Records) -> str:
    """Return the caption with the number of cases above each threshold, or an empty string."""
    noises = [each for each in noise.of_records(scope, records) if each.seeds]
    if not noises:
        return ""
    sentences = [
        "The curve is (3k - 1)/(2k + 2). If the weight of the joint gradient is between 1/2 and "
        "it, the paper's formula gives conventional Pareto less noise than the uniform sum.",
        "Marks are the measured k, variance of the unimodal over that of the joint gradient, in "
        "uniform runs: mean and standard deviation over seeds.",
        f"The mean k is above 1 in {noise.count(noises, _k, lambda k: k > 1)}, above 3 in "
        f"{noise.count(noises, _k, lambda k: k > 3)}.",
    ]
    return " ".join(sentences) + "\n"


def draw(scope: Scope, records: Records) -> "Figure":
    """Return the figure: the curve over k, and on it a mark for every encoder and epoch.

    A mark is the mean over seeds, with the standard deviation as a bar. Without records the curve
    stands alone.
    """
    from matplotlib.figure import Figure  # no pyplot: no display, no global state

    noises = [each for each in noise.of_records(scope, records) if each.spread(_k)]
    figure = Figure(figsize=(7.5, 3.8), layout="constrained")
    panel = figure.subplots()
    panel.spines[["top", "right"]].set_visible(False)
    _curve(panel, [value for each in noises for value in each.values(_k)])
    _marks(panel, noises)
    panel.set_xlabel("k, variance of the unimodal over that of the joint gradient")
    panel.set_ylabel("(3k - 1)/(2k + 2)")
    if not noises:
        panel.set_title("not run: the curve alone")
        return figure
    figure.legend(loc="outside right upper", fontsize="small", frameon=False)
    return figure


def _k(measured: Measured) -> float | None:
    return measured["k"]


def _curve(panel: "Axes", measured: list[float]) -> None:
    k = np.geomspace(min(*SHOWN, *measured), max(*SHOWN, *measured), 400)
    panel.plot(k, bound(k), color="black", linewidth=1)
    for at, value in THRESHOLDS:
        panel.axvline(at, color="gray", linewidth=0.8, linestyle=":")
        panel.axhline(value, color="gray", linewidth=0.8, linestyle=":")
    panel.set_xscale("log")
    ticks = [tick for tick in TICKS if tick <= k[-1]]
    panel.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    panel.set_xticks([], minor=True)


def _marks(panel: "Axes", noises: list[Noise]) -> None:
    colors: dict[tuple[str, str], str] = {}
    for each in noises:
        color = colors.setdefault((each.setting, each.encoder), f"C{len(colors)}")
        k = each.spread(_k)
        assert k is not None
        panel.errorbar(
            k.mean,
            bound(k.mean),
            xerr=k.deviation,
            color=color,
            marker=FIRST.get(each.epoch, LAST),
            linestyle="none",
            label=f"{each.setting}, {each.encoder}, epoch {each.epoch}",
        )


EXHIBIT = Exhibit(
    "The weight below which conventional Pareto has less noise", noise.needs, text, draw
)
