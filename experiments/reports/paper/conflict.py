"""The cosine of the joint and the unimodal gradient in training, a panel of Figures 1 and 4."""

from typing import TYPE_CHECKING

import numpy as np

from experiments.reports.pictures import OTHER_COLORS, band
from experiments.reports.records import Record
from experiments.reports.statistics import spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(panel: "Axes", records: list[Record], encoders: tuple[str, ...]) -> None:
    """Draw the cosine over the iterations, a line an encoder, a band for the seeds' range.

    Args:
      panel: Where to draw.
      records: Of the uniform baseline's runs, one at least.
      encoders: The encoders.
    """
    for index, name in enumerate(encoders):
        cosines = [
            [cosine for epoch in record["epochs"] for cosine in epoch["trace"][name]["cosine"]]
            for record in records
        ]
        ends = np.linspace(0, records[0]["epochs"][-1]["step"], len(cosines[0]) + 1)[1:]
        band(panel, list(ends), cosines, OTHER_COLORS[index], f"{name} encoder")
    panel.axhline(0, color="black", linewidth=0.8)
    panel.set_xlabel("iteration")
    panel.set_ylabel("cosine, joint and unimodal gradient")
    panel.legend(fontsize="small", frameon=False)


def share(records: list[Record], encoder: str, epochs: slice = slice(None)) -> list[float]:
    """For each run, the share of steps in which an encoder's gradients are in conflict."""
    return [
        float(
            np.mean([epoch["encoders"][encoder]["conflict"] for epoch in record["epochs"][epochs]])
        )
        for record in records
    ]


def words(records: list[Record], setting: str, encoders: tuple[str, ...]) -> str:
    """Return the shares over all steps and over those of the first epoch, encoder by encoder."""
    return "; ".join(
        f"{setting}, {name} {spread(share(records, name))} % of all steps and "
        f"{spread(share(records, name, slice(1)))} % in the first epoch"
        for name in encoders
    )
