"""Figure 1: conflict, what the methods make of it, and the magnitudes of the gradients."""

from typing import TYPE_CHECKING

import numpy as np

from experiments.markdown import filled_grid
from experiments.methods import TITLES
from experiments.reports.archive import Records
from experiments.reports.paper import conflict, magnitudes, noise
from experiments.reports.paper.evidence import Item, Measurement, Run
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.pictures import color_of, not_run, panels
from experiments.reports.statistics import accuracies, lead, spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SETTING = "cg-mnist"

TASKS = "multi-mnist"

MODALITY = "gray"
"""The modality that joint training neglects on our data, as it neglects video on the paper's."""

METHODS = ("uniform", "pareto", "uniform-gamma", "mmpareto")

ALONE = {"joint": "joint", MODALITY: "unimodal"}
"""For a head, the method that trains with its loss alone."""

SINGLE = "single loss"
"""The paper's name for a model that is trained with one head's loss alone."""


def needs(scope: Scope) -> list[Item]:
    """Return the runs of the methods on both sets, and the gradients after the first epoch."""
    every = tuple(dict.fromkeys((*METHODS, *ALONE.values())))
    seeds = range(scope.seeds)
    setting, tasks = scope.setting(SETTING), scope.setting(TASKS)
    return [
        *(Run(setting, method, seed) for method in every for seed in seeds),
        *(Run(tasks, method, seed) for method in METHODS for seed in seeds),
        *(_fixed(scope, seed) for seed in seeds),
    ]


def _fixed(scope: Scope, seed: int) -> Measurement:
    run = Run(scope.setting(SETTING), "uniform", seed)
    return Measurement(run, noise.KIND, 1)


def _runs(scope: Scope, setting: str, method: str) -> list[Run]:
    return [Run(scope.setting(setting), method, seed) for seed in range(scope.seeds)]


COLORS = {SINGLE: color_of("joint")} | {TITLES[method]: color_of(method) for method in METHODS}
"""Matplotlib colors of the bars, by title of a method."""


Bars = dict[str, dict[str, dict[int, float]]]
"""Test accuracies (0 to 1) after the last epoch, by title of a method, head and seed."""


def bars(scope: Scope, records: Records) -> Bars:
    """Return the accuracies of panel c by title of a method, "single loss" first."""
    single = {
        head: accuracies(records, _runs(scope, SETTING, method), head)
        for head, method in ALONE.items()
    }
    return {SINGLE: single} | _bars_of(scope, records, SETTING, tuple(ALONE))


def _bars_of(scope: Scope, records: Records, setting: str, heads: tuple[str, ...]) -> Bars:
    return {
        TITLES[method]: {
            head: accuracies(records, _runs(scope, setting, method), head) for head in heads
        }
        for method in METHODS
    }


def text(scope: Scope, records: Records) -> str:
    """Return the caption, the share of steps in conflict and the numbers of panel c.

    The text is empty without any record.
    """
    if not any(item in records for item in needs(scope)):
        return ""
    found = [records[run] for run in _runs(scope, SETTING, "uniform") if run in records]
    encoders = tuple(scope.setting(SETTING).encoders)
    conflicts = (
        f"Steps in conflict: {conflict.words(found, SETTING, encoders)}.\n\n" if found else ""
    )
    values = bars(scope, records)
    compared = [values[name] for name in (TITLES["uniform"], SINGLE)]
    rows = [
        [
            name,
            *(
                cell
                for head in ALONE
                for cell in (
                    spread(list(by_head[head].values())),
                    *(lead(by_head[head], other[head]) for other in compared),
                )
            ),
        ]
        for name, by_head in values.items()
    ]
    head = ["method"]
    for title in ("joint", f"{MODALITY} alone"):
        head += [title, "− uniform", f"− {SINGLE}"]
    return (
        f"(a) Cosine between the joint and the unimodal gradient, {SETTING}, uniform baseline. "
        f"(b) A multi-task case, {TASKS}; the paper shows another one, Cityscapes, with numbers of "
        "Sener and Koltun (2018). (c) Accuracy after the last epoch, in percent; *single loss* is "
        "a model trained with that loss alone. (d) Gradient magnitudes after the first epoch, "
        f"seed 0, {MODALITY} encoder: each count is a mini-batch.\n\n"
        f"{conflicts}{filled_grid(head, rows)}"
    )


def draw(scope: Scope, records: Records) -> "Figure":
    """Return the figure with its four panels; those without records say "not run here"."""
    figure, axes = panels(4)
    found = [records[run] for run in _runs(scope, SETTING, "uniform") if run in records]
    if found:
        conflict.draw(axes[0], found, tuple(scope.setting(SETTING).encoders))
    else:
        not_run(axes[0])
    _draw_bars(axes[1], _bars_of(scope, records, TASKS, ("left", "right")))
    _draw_bars(axes[2], bars(scope, records))
    first = records.get(_fixed(scope, 0), {}).get("measured", {}).get(MODALITY)
    magnitudes.draw(axes[3], first, f"{MODALITY} encoder")
    for panel, letter in zip(axes, "abcd", strict=True):
        panel.set_title(f"({letter}) {panel.get_title()}".rstrip())
    return figure


def _draw_bars(panel: "Axes", values: Bars) -> None:
    """Draw a group of bars for each head, a bar for each method, the seeds as dots, in percent.

    Args:
      panel: The panel to draw in; without any accuracy it says "not run here".
      values: The accuracies (0 to 1); every method has the same heads.
    """
    heads = list(next(iter(values.values())))
    width = 0.8 / len(values)
    every = [100 * value for by in values.values() for of in by.values() for value in of.values()]
    if not every:
        not_run(panel)
        return
    for index, (name, by_head) in enumerate(values.items()):
        where = np.arange(len(heads)) + (index - (len(values) - 1) / 2) * width
        found = [100 * np.array(list(by_head[head].values())) for head in heads]
        heights = [float(of.mean()) if len(of) else 0.0 for of in found]
        panel.bar(where, heights, width * 0.9, label=name, color=COLORS[name])
        for position, of in zip(where, found, strict=True):
            panel.plot([position] * len(of), of, "k.", markersize=3)
    panel.set_xticks(range(len(heads)), heads)
    bottom = max(0.0, min(every) - 15)
    panel.set_ylim(bottom, 100 + 0.3 * (100 - bottom))  # room for the legend
    panel.set_yticks([tick for tick in panel.get_yticks() if bottom <= tick <= 100])
    panel.set_ylabel("test accuracy (%)")
    panel.legend(fontsize="x-small", frameon=False, ncols=2, loc="upper left")


EXHIBIT = Exhibit("Conflict, accuracy and gradient magnitudes", needs, text, draw)
