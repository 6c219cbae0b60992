"""Helpers for the Matplotlib figures: colors of methods, empty panels, bands, saving."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.data.storage.files import write_together

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


METHOD_COLORS = {
    "joint": "C0",
    "uniform": "C1",
    "uniform-gamma": "C2",
    "pareto": "C3",
    "mmpareto": "C4",
}

OTHER_COLORS = ("C7", "C6", "C8", "C9", "C5")
"""Matplotlib colors of what is not a method: encoders, losses, gradients."""


def color_of(method: str) -> str:
    """Return the Matplotlib color of a method, the same in every panel of every figure.

    Only the five methods of ``METHOD_COLORS`` have one, each its own; another name is a
    ``KeyError``.

    Example:
      >>> color_of("mmpareto")
      'C4'
    """
    return METHOD_COLORS[method]


def panels(count: int, rows: int = 1) -> tuple["Figure", Any]:
    """Return a figure of ``rows`` times ``count`` panels, and its panels.

    Args:
      count: The number of panels in a row.
      rows: The number of rows.

    Returns:
      The figure, 4 by 3.2 inches a panel, and an array of its axes: ``[count]`` for a single row,
      otherwise ``[rows, count]``.
    """
    from matplotlib.figure import Figure  # no pyplot: no display, no global state

    figure = Figure(figsize=(4 * count, 3.2 * rows), layout="constrained")
    axes = figure.subplots(rows, count, squeeze=False)
    for panel in axes.flat:
        panel.spines[["top", "right"]].set_visible(False)
    return figure, axes if rows > 1 else axes[0]


def band(
    panel: "Axes",
    where: Sequence[float],
    values: Sequence[Sequence[float]],
    color: str,
    label: str,
) -> None:
    """Draw the mean of several runs as a line, and from their minimum to their maximum a band.

    Args:
      panel: The panel to draw in.
      where: The horizontal positions, ``[N]``.
      values: The values of each run, ``[runs, N]``.
      color: The color of line and band.
      label: The name of the line in the legend.
    """
    panel.plot(where, np.mean(values, axis=0), color=color, label=label)
    panel.fill_between(
        where, np.min(values, axis=0), np.max(values, axis=0), color=color, alpha=0.15, lw=0
    )


def not_run(panel: "Axes") -> None:
    """Write "not run here" into an empty panel, and remove its ticks."""
    panel.text(0.5, 0.5, "not run here", transform=panel.transAxes, ha="center", va="center")
    panel.set_xticks([])
    panel.set_yticks([])


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG and as SVG; the same figure gives the same files.

    Args:
      figure: The figure.
      path: The path of the files; its suffix is replaced by ".png" and ".svg". Its folder is made
        if it does not exist.
    """
    import matplotlib

    path.parent.mkdir(parents=True, exist_ok=True)
    png, svg = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    with matplotlib.rc_context({"svg.hashsalt": path.name}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
    write_together(
        {path.with_suffix(".png"): png.getvalue(), path.with_suffix(".svg"): svg.getvalue()}
    )
