"""The look of all figures, their colors, and how they are saved."""

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
"""Colors of what is not a method: encoders, losses, gradients."""


def color_of(method: str) -> str:
    """Return the color of a method, the same in every panel of every figure.

    Example:
      >>> color_of("mmpareto")
      'C4'
    """
    return METHOD_COLORS[method]


def panels(count: int, rows: int = 1) -> tuple["Figure", Any]:
    """Return a figure of ``rows`` times ``count`` panels, and its panels."""
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
    """Draw the mean of several runs as a line, their range as a band.

    Args:
      panel: Where it is drawn.
      where: The horizontal positions, N of them.
      values: For each run, N values.
      color: Of both.
      label: Of the line.
    """
    panel.plot(where, np.mean(values, axis=0), color=color, label=label)
    panel.fill_between(
        where, np.min(values, axis=0), np.max(values, axis=0), color=color, alpha=0.15, lw=0
    )


def not_run(panel: "Axes") -> None:
    """Says in a panel that there is nothing to show."""
    panel.text(0.5, 0.5, "not run here", transform=panel.transAxes, ha="center", va="center")
    panel.set_xticks([])
    panel.set_yticks([])


def save(figure: "Figure", path: Path) -> None:
    """Write a figure as PNG and as SVG; the same figure gives the same files."""
    import matplotlib

    path.parent.mkdir(parents=True, exist_ok=True)
    png, svg = io.BytesIO(), io.BytesIO()
    figure.savefig(png, format="png", dpi=150)
    with matplotlib.rc_context({"svg.hashsalt": path.name}):
        figure.savefig(svg, format="svg", metadata={"Date": None})
    write_together(
        {path.with_suffix(".png"): png.getvalue(), path.with_suffix(".svg"): svg.getvalue()}
    )
