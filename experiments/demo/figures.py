"""The demo's figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.comparison import Histories

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

HEADS = ("joint", "gray", "colour")


def accuracy(names: Mapping[str, str], histories: Histories, path: Path) -> None:
    """Test accuracy over epochs, a panel a head, a line a method, a band for the seeds' range."""
    figure, panels = _panels(len(HEADS))
    for panel, head in zip(panels, HEADS, strict=True):
        for index, (method, name) in enumerate(names.items()):
            runs = histories[method]
            if head in runs[0][0]["scores"]:
                values = [[100 * r["scores"][head]["accuracy"] for r in run] for run in runs]
                _band(panel, values, f"C{index}", name)
        panel.set_title(f"{head} prediction")
        panel.set_xlabel("epoch")
    panels[0].set_ylabel("test accuracy (%)")
    panels[0].legend(fontsize="small", frameon=False)
    _save(figure, path)


def cosine(seeds: list[list[dict[str, Any]]], path: Path) -> None:
    """Cosine between the joint and the unimodal gradient over epochs, a line an encoder."""
    figure, (cosines, conflicts) = _panels(2)
    for index, encoder in enumerate(HEADS[1:]):
        records = [[r["encoders"][encoder] for r in run] for run in seeds]
        colour = f"C{index}"
        _band(
            cosines, [[r["cosine"] for r in run] for run in records], colour, f"{encoder} encoder"
        )
        shares = [[100 * r["conflict"] for r in run] for run in records]
        _band(conflicts, shares, colour, f"{encoder} encoder")
    cosines.axhline(0, color="black", linewidth=0.8)
    cosines.set_ylabel("cosine, joint and unimodal gradient")
    conflicts.set_ylabel("steps in conflict (%)")
    for panel in (cosines, conflicts):
        panel.set_xlabel("epoch")
    cosines.legend(fontsize="small", frameon=False)
    _save(figure, path)


def _panels(count: int) -> tuple["Figure", Any]:
    from matplotlib.figure import Figure  # no pyplot: no display, no global state

    figure = Figure(figsize=(4 * count, 3.2), layout="constrained")
    panels = figure.subplots(1, count)
    for panel in panels:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, panels


def _band(panel: "Axes", values: list[list[float]], colour: str, label: str) -> None:
    epochs = np.arange(1, len(values[0]) + 1)
    panel.plot(epochs, np.mean(values, axis=0), color=colour, label=label)
    panel.fill_between(
        epochs, np.min(values, axis=0), np.max(values, axis=0), color=colour, alpha=0.15, lw=0
    )


def _save(figure: "Figure", path: Path) -> None:
    figure.savefig(path.with_suffix(".png"), dpi=150)
    figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
