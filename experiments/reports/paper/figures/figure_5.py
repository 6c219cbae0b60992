"""Figure 5: the loss and the accuracy around the end of a run."""

from typing import TYPE_CHECKING

import numpy as np

from experiments.reports.archive import Records
from experiments.reports.paper import flatness
from experiments.reports.paper.evidence import Item
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.pictures import band, not_run
from experiments.reports.records import Record

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSS, ACCURACY = "C0", "C1"
"""Matplotlib colors of the two curves and their axes."""


def _needs(scope: Scope) -> list[Item]:
    return [
        flatness.at_end(run, "landscape")
        for setting in flatness.SETTINGS
        for method in flatness.compared(scope)
        for run in flatness.runs(scope, setting, method)
    ]


def _measured(scope: Scope, records: Records, setting: str, method: str) -> list[Record]:
    """Return the landscapes that are on disk, one for each seed, as ``landscape`` returned them."""
    items = [flatness.at_end(run, "landscape") for run in flatness.runs(scope, setting, method)]
    there = [record for item in items if (record := flatness.found(records, item)) is not None]
    return [record["measured"] for record in there]


def _text(scope: Scope, records: Records) -> str:
    caption = (
        "Joint loss on 512 training samples (left axis, blue) and joint accuracy on test samples "
        "(right axis, orange) at the end of a run, along filter-normalized random directions (Li "
        "et al., 2018). Lines: the mean over three directions and the seeds; bands: their range. "
        "Panels of a row have the same scales; a scale ends at the highest mean loss of its row. "
        "Sharpness is the mean rise of the loss at the steps -0.5 and 0.5."
    )
    lines = [
        _line(setting, method, landscapes)
        for setting in flatness.SETTINGS
        for method in flatness.compared(scope)
        if (landscapes := _measured(scope, records, setting, method))
    ]
    return "\n".join([caption, "", *lines, ""]) if lines else ""


def _line(setting: str, method: str, landscapes: list[Record]) -> str:
    sharpness = np.mean([each["sharpness"] for each in landscapes])
    return (
        f"* {setting}, {flatness.METHODS[method]}: sharpness {sharpness:.3g} "
        f"(seeds: {len(landscapes)})."
    )


def _draw(scope: Scope, records: Records) -> "Figure":
    from matplotlib.figure import Figure  # no pyplot: no display, no global state

    methods = flatness.compared(scope)
    figure = Figure(
        figsize=(3.1 * len(methods), 2.6 * len(flatness.SETTINGS)), layout="constrained"
    )
    panels = figure.subplots(
        len(flatness.SETTINGS), len(methods), sharex=True, sharey="row", squeeze=False
    )
    for row, setting in zip(panels, flatness.SETTINGS, strict=True):
        landscapes = [_measured(scope, records, setting, method) for method in methods]
        for panel, method, those in zip(row, methods, landscapes, strict=True):
            panel.set_title(f"{setting}, {flatness.METHODS[method]}", fontsize="medium")
            panel.spines["top"].set_visible(False)
            _fill(panel, those)
        tops = [np.mean(_curves(those, "loss"), axis=0).max() for those in landscapes if those]
        if tops and np.all(np.isfinite(tops)):
            row[0].set_ylim(0, 1.05 * max(tops))
    for panel in panels[-1]:
        panel.set_xlabel("step along the direction")
    return figure


def _curves(landscapes: list[Record], of: str) -> np.ndarray:
    """Return the curves of all seeds and directions, ``[seeds times directions, steps]``.

    Args:
      landscapes: The measured landscapes, at least one.
      of: "loss" or "accuracy" (0 to 1).
    """
    return np.concatenate([np.asarray(each[of]) for each in landscapes])


def _fill(panel: "Axes", landscapes: list[Record]) -> None:
    if not landscapes:
        not_run(panel)
        return
    steps = landscapes[0]["steps"]
    band(panel, steps, _curves(landscapes, "loss").tolist(), LOSS, "loss")
    panel.set_ylabel("training loss", color=LOSS)
    panel.tick_params(axis="y", colors=LOSS, labelleft=True)
    right = panel.twinx()
    accuracies = 100 * _curves(landscapes, "accuracy")
    band(right, steps, accuracies.tolist(), ACCURACY, "accuracy")
    right.set_ylabel("test accuracy (%)", color=ACCURACY)
    right.tick_params(axis="y", colors=ACCURACY)
    right.set_ylim(0, 100)
    right.spines["top"].set_visible(False)


EXHIBIT = Exhibit(
    title="Loss landscape and accuracy around the end of training",
    needs=_needs,
    text=_text,
    draw=_draw,
)
