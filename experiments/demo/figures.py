"""The demo's figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.comparison import Histories
from experiments.pictures import band, panels, save

HEADS = ("joint", "gray", "colour")


def accuracy(names: Mapping[str, str], histories: Histories, path: Path) -> None:
    """Test accuracy over epochs, a panel a head, a line a method, a band for the seeds' range."""
    figure, axes = panels(len(HEADS))
    for panel, head in zip(axes, HEADS, strict=True):
        for index, (method, name) in enumerate(names.items()):
            runs = histories[method]
            if head in runs[0][0]["scores"]:
                values = [[100 * r["scores"][head]["accuracy"] for r in run] for run in runs]
                band(panel, _epochs(values), values, f"C{index}", name)
        panel.set_title(f"{head} prediction")
        panel.set_xlabel("epoch")
    axes[0].set_ylabel("test accuracy (%)")
    axes[0].legend(fontsize="small", frameon=False)
    save(figure, path)


def cosine(seeds: list[list[dict[str, Any]]], path: Path) -> None:
    """Cosine between the joint and the unimodal gradient over epochs, a line an encoder."""
    figure, (cosines, conflicts) = panels(2)
    for index, encoder in enumerate(HEADS[1:]):
        records = [[r["encoders"][encoder] for r in run] for run in seeds]
        colour = f"C{index}"
        label = f"{encoder} encoder"
        mean = [[r["cosine"] for r in run] for run in records]
        band(cosines, _epochs(mean), mean, colour, label)
        shares = [[100 * r["conflict"] for r in run] for run in records]
        band(conflicts, _epochs(shares), shares, colour, label)
    cosines.axhline(0, color="black", linewidth=0.8)
    cosines.set_ylabel("cosine, joint and unimodal gradient")
    conflicts.set_ylabel("steps in conflict (%)")
    for panel in (cosines, conflicts):
        panel.set_xlabel("epoch")
    cosines.legend(fontsize="small", frameon=False)
    save(figure, path)


def _epochs(values: list[list[float]]) -> range:
    return range(1, len(values[0]) + 1)
