"""Figure 1: conflict, what the methods make of it, and the magnitudes of the gradients."""

from typing import TYPE_CHECKING

import numpy as np

from experiments.markdown import grid
from experiments.paper import conflict, magnitudes, noise
from experiments.paper.archive import Record, Records
from experiments.paper.comparison_table import TITLES
from experiments.paper.evidence import Item, Measurement, Run
from experiments.paper.exhibit import Exhibit, Scope
from experiments.paper.scores import last, spread
from experiments.pictures import not_run, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SETTING = "cg-mnist"

TASKS = "multi-mnist"

MODALITY = "gray"
"""The modality that joint training neglects here, as it does video in the paper's."""

METHODS = ("uniform", "pareto", "uniform-gamma", "mmpareto")

ALONE = {"joint": "joint", MODALITY: "unimodal"}
"""The paper's "single loss": for a head, the method that trains with its loss alone."""


def needs(scope: Scope) -> list[Item]:
    """Runs of the methods on both sets, and gradients at fixed parameters."""
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


def _runs(scope: Scope, records: Records, setting: str, method: str) -> list[Record]:
    runs = [Run(scope.setting(setting), method, seed) for seed in range(scope.seeds)]
    return [records[run] for run in runs if run in records]


def _accuracies(
    scope: Scope, records: Records, setting: str, method: str, head: str
) -> list[float]:
    scores = [last(record) for record in _runs(scope, records, setting, method)]
    return [each[head]["accuracy"] for each in scores if head in each]


def bars(scope: Scope, records: Records) -> dict[str, dict[str, list[float]]]:
    """By method, then by head, the accuracies of panel c; "single loss" first."""
    single = {
        head: _accuracies(scope, records, SETTING, method, head) for head, method in ALONE.items()
    }
    return {"single loss": single} | {
        TITLES[method]: {head: _accuracies(scope, records, SETTING, method, head) for head in ALONE}
        for method in METHODS
    }


def text(scope: Scope, records: Records) -> str:
    """The caption and the numbers of panel c."""
    found = _runs(scope, records, SETTING, "uniform")
    conflicts = "; ".join(
        f"{name} {spread(conflict.share(found, name))} % of all steps and "
        f"{spread(conflict.share(found, name, slice(1)))} % in the first epoch"
        for name in scope.setting(SETTING).encoders
        if found
    )
    rows = [
        [name, *(spread(by_head[head]) for head in ALONE)]
        for name, by_head in bars(scope, records).items()
    ]
    return (
        f"(a) Cosine between the joint and the unimodal gradient, {SETTING}, uniform baseline. "
        f"(b) A multi-task case, {TASKS}; the paper shows another one, Cityscapes, with numbers of "
        "Sener and Koltun (2018). (c) Accuracy after the last epoch, in per cent; *single loss* is "
        "a model trained with that loss alone. (d) Gradient magnitudes after the first epoch, "
        f"seed 0, {MODALITY} encoder: each count is a mini-batch.\n\n"
        f"Steps in conflict: {conflicts or '–'}.\n\n"
        + grid(["method", "joint", f"{MODALITY} alone"], rows)
    )


def draw(scope: Scope, records: Records) -> "Figure":
    """The four panels."""
    figure, axes = panels(4)
    found = _runs(scope, records, SETTING, "uniform")
    if found:
        conflict.draw(axes[0], found, tuple(scope.setting(SETTING).encoders))
    else:
        not_run(axes[0])
    tasks = {
        TITLES[method]: {
            head: _accuracies(scope, records, TASKS, method, head) for head in ("left", "right")
        }
        for method in METHODS
    }
    _bars(axes[1], tasks)
    _bars(axes[2], bars(scope, records))
    first = records.get(_fixed(scope, 0), {}).get("measured", {}).get(MODALITY)
    magnitudes.draw(axes[3], first, f"{MODALITY} encoder")
    for panel, letter in zip(axes, "abcd", strict=True):
        panel.set_title(f"({letter}) {panel.get_title()}".rstrip())
    return figure


def _bars(panel: "Axes", values: dict[str, dict[str, list[float]]]) -> None:
    """A group of bars a head, a bar a method, the seeds as dots."""
    heads = list(next(iter(values.values())))
    width = 0.8 / len(values)
    if not any(of for by_head in values.values() for of in by_head.values()):
        not_run(panel)
        return
    for index, (name, by_head) in enumerate(values.items()):
        where = np.arange(len(heads)) + (index - (len(values) - 1) / 2) * width
        found = [100 * np.array(by_head[head]) for head in heads]
        heights = [float(of.mean()) if len(of) else 0.0 for of in found]
        panel.bar(where, heights, width * 0.9, label=name, color=f"C{index}")
        for position, of in zip(where, found, strict=True):
            panel.plot([position] * len(of), of, "k.", markersize=3)
    panel.set_xticks(range(len(heads)), heads)
    lowest = min(float(np.min(of)) for by in values.values() for of in by.values() if of)
    bottom = max(0.0, 100 * lowest - 15)
    panel.set_ylim(bottom, 100 + 0.3 * (100 - bottom))  # room for the legend
    panel.set_yticks([tick for tick in panel.get_yticks() if bottom <= tick <= 100])
    panel.set_ylabel("test accuracy (%)")
    panel.legend(fontsize="x-small", frameon=False, ncols=2, loc="upper left")


EXHIBIT = Exhibit("Conflict, accuracy and gradient magnitudes", needs, text, draw)
