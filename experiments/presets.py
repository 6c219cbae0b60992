"""The defaults of a run, by data set."""

import argparse
import dataclasses
from collections.abc import Sequence

from experiments.config import Config, Optimisation

PAPER = Optimisation(learning_rate=1e-3, momentum=0.9, weight_decay=1e-4, batch_size=64, epochs=50)
"""Learning rate and momentum are the paper's (appendix B); where it is silent, the rest is that of
the code released with it."""

SCENES = dataclasses.replace(PAPER, batch_size=2, epochs=200)
"""Batch size and epochs of the benchmark that the paper uses (Liu et al. 2019)."""

PRESETS: dict[str, Config] = {
    config.dataset: config
    for config in (
        Config(),
        Config(dataset="cg-mnist", optimisation=PAPER),
        Config(dataset="crema-d", model="resnet18", optimisation=PAPER),
        Config(dataset="kinetics-sounds", model="resnet18", optimisation=PAPER),
        Config(dataset="modelnet40", model="resnet18", optimisation=PAPER),
        Config(dataset="cmu-mosi", model="transformer", optimisation=PAPER),
        Config(dataset="multi-mnist", model="lenet", optimisation=PAPER),
        Config(dataset="nyuv2", model="segnet", optimisation=SCENES),
        Config(dataset="uci-mfeat", model="mlp"),
    )
}
"""What a run of each data set is, unless its user says otherwise."""


def of(arguments: Sequence[str]) -> Config:
    """Return the preset of the data set that a command line names, or of the default one.

    Args:
      arguments: The words of the command line.

    Example:
      >>> of(["train", "--dataset", "cg-mnist", "--epochs", "3"]).optimisation.learning_rate
      0.001
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--dataset", nargs="?")
    known, _ = parser.parse_known_args(list(arguments))
    return PRESETS.get(known.dataset, PRESETS[Config.dataset])
