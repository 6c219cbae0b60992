"""The cosine of the joint and the unimodal gradient in training, a panel of Figures 1 and 4."""

from typing import TYPE_CHECKING

import numpy as np

from experiments.reports.pictures import OTHER_COLORS, band
from experiments.reports.records import Record
from experiments.reports.statistics import spread

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def draw(panel: "Axes", records: list[Record], encoders: tuple[str, ...]) -> None:
    """Draw the cosine over the training steps: a line for each encoder, the seeds' range as a band.

    A point is the mean over a quarter of an epoch.

    Args:
      panel: The panel to draw in.
      records: The records of the runs of the uniform baseline, one for each seed; at least one.
      encoders: The names of the encoders.
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
    """Return for each run the share of steps, 0 to 1, in which an encoder's gradients conflict.

    Two gradients conflict if their inner product is negative. This function reads records on disk;
    :func:`experiments.engine.comparison.conflicts` does the same, over all epochs, for the
    histories that a command has in memory.

    Args:
      records: The records of the runs, whose method must have measured conflict.
      encoder: The name of the encoder.
      epochs: The epochs to average over, as a slice of each run's list of epochs.
    """
    return [
        float(
            np.mean([epoch["encoders"][encoder]["conflict"] for epoch in record["epochs"][epochs]])
        )
        for record in records
    ]


def words(records: list[Record], setting: str, encoders: tuple[str, ...]) -> str:
    """Write the share of steps in conflict, over all epochs and in the first, for each encoder.

    Args:
      records: The records of the runs, one for each seed.
      setting: The name of the setting, which the text repeats.
      encoders: The names of the encoders.

    Returns:
      A text with means and standard deviations over the runs, in percent.
    """
    return "; ".join(
        f"{setting}, {name} {spread(share(records, name))} % of all steps and "
        f"{spread(share(records, name, slice(1)))} % in the first epoch"
        for name in encoders
    )
