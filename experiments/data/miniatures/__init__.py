"""Small files in the layout and format of each data set, for tests and benchmarks."""

from collections.abc import Callable
from functools import partial

from experiments.data.miniatures import (
    cmu_mosi,
    crema_d,
    kinetics_sounds,
    mnist,
    modelnet40,
    nyuv2,
    uci_mfeat,
)

__all__ = ["WRITERS"]

WRITERS: dict[str, Callable[..., None]] = {
    "cmu-mosi": cmu_mosi.write,
    "crema-d": crema_d.write,
    "kinetics-sounds": kinetics_sounds.write,
    "mnist": mnist.write,
    "modelnet40": partial(modelnet40.write, side=32),
    "nyuv2": nyuv2.write,
    "uci-mfeat": uci_mfeat.write,
}
"""Functions that write the smallest set of files into a folder, by name of the data set."""
