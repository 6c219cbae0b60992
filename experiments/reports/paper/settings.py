"""What all runs of a comparison share: the data, the model, the optimizer, the number of epochs.

They were fixed before the runs (docs/protocol.md) and are the same for every method. "quick" is the
size that two processor cores finish; "paper" is that of the paper.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments import data
from experiments.config import Config, Optimization
from experiments.data import DATASETS, Samples, Splits
from experiments.data.sets import cg_digits
from experiments.data.storage.holding_out import count

Preset = Literal["quick", "paper"]

SUBSET_SEED = 0
"""The seed of the random choice of the samples of a smaller set."""

QUICK_RATE = 0.02
"""Learning rate of the quick runs: that of the demo, twenty times the paper's, since they take
about a hundredth of its steps."""


@dataclass(frozen=True)
class Setting:
    """A data set and how every method trains on it.

    Attributes:
      name: The name of the setting in results, as in "cg-mnist".
      config: The configuration of a run, apart from method, gamma and seed.
      files: The folder of the set's files, relative to the folder of all data.
      training_samples: The size of a random choice of training samples, the same for all runs; None
        takes all.
      test_samples: The size of a random choice of test samples, the same for all runs; None takes
        all.
      correlation: For cg-digits, the probability (0 to 1) with which a training image has the color
        of its label. Other sets have 1, which changes nothing.
      pretrained: The file of pretrained weights, relative to the folder of all data; None trains
        from scratch.
    """

    name: str
    config: Config
    files: str
    training_samples: int | None = None
    test_samples: int | None = None
    correlation: float = 1.0
    pretrained: str | None = None

    @property
    def encoders(self) -> Mapping[str, tuple[str, ...]]:
        """Return by encoder the names of the heads whose losses train it."""
        return data.named(self.config.dataset).encoders

    def lacks(self, data_dir: Path) -> str | None:
        """Return a sentence on the folder or file that is missing to run the setting, if any.

        Args:
          data_dir: The folder of all data.

        Returns:
          A text such as "no folder crema-d in the folder of data", or None if nothing is missing.
        """
        folder = data_dir / self.files
        if data.named(self.config.dataset).needs_files and not folder.is_dir():
            return f"no folder {self.files} in the folder of data"
        if self.pretrained is not None and not (data_dir / self.pretrained).is_file():
            return f"no file {self.pretrained} in the folder of data"
        return None

    def splits(self, data_dir: Path, prepared_dir: Path | None, workers: int) -> Splits:
        """Return the training and test sets, cut to the numbers of samples of the setting.

        Args:
          data_dir: The folder of all data.
          prepared_dir: The folder of prepared sets, which a set that is made in memory ignores.
          workers: The number of processes that prepare a set, if it is not prepared yet.

        Returns:
          The sets "train" and "test", as :func:`experiments.data.load` returns them.
        """
        name = self.config.dataset
        if self.correlation != 1:
            whole: Splits = cg_digits.arrays(self.correlation)
        else:
            in_memory = data.named(name).transforms is None
            where = None if in_memory else prepared_dir
            whole = data.load(name, data_dir / self.files, where, workers)
        return {
            "train": _choice(whole["train"], self.training_samples),
            "test": _choice(whole["test"], self.test_samples),
        }


def _choice(split: Any, number: int | None) -> Any:
    if number is None or number >= count(split):
        return split
    order = np.random.default_rng(SUBSET_SEED).permutation(count(split))
    rows = np.sort(order[:number])
    if isinstance(split, Samples):
        return split.subset(rows)
    return {name: field[rows] for name, field in split.items()}


def _quick(dataset: str, epochs: int, batch_size: int = 64) -> Config:
    optimization = Optimization(learning_rate=QUICK_RATE, epochs=epochs, batch_size=batch_size)
    return dataclasses.replace(DATASETS[dataset].preset, optimization=optimization)


def _with_model(config: Config, model: str) -> Config:
    return dataclasses.replace(config, model=model)


PRETRAINED = "vit.safetensors"

MNIST = {"training_samples": 6400, "test_samples": 2500}
"""Sizes of the quick MNIST sets: a hundred steps an epoch."""

CLIPS = {"training_samples": 128, "test_samples": 128}
"""Sizes of the quick sets of sound, images and video, whose networks have 11 million parameters or
more: enough to see that everything works."""


def _settings(preset: Preset) -> dict[str, Setting]:
    quick = preset == "quick"

    def setting(name: str, config: Config, smaller: Config, files: str, **sizes: Any) -> Setting:
        return Setting(name, smaller if quick else config, files, **(sizes if quick else {}))

    def clips(dataset: str, batch_size: int = 8) -> Setting:
        smaller = _quick(dataset, epochs=2, batch_size=batch_size)
        return setting(dataset, DATASETS[dataset].preset, smaller, dataset, **CLIPS)

    def transformer(dataset: str, name: str, pretrained: str | None = None) -> Setting:
        whole = clips(dataset)
        config = _with_model(whole.config, "mbt-small" if quick and not pretrained else "mbt")
        return dataclasses.replace(whole, name=name, config=config, pretrained=pretrained)

    every = [
        setting("cg-mnist", DATASETS["cg-mnist"].preset, _quick("cg-mnist", 4), "mnist", **MNIST),
        setting(
            "multi-mnist",
            DATASETS["multi-mnist"].preset,
            _quick("multi-mnist", 4),
            "mnist",
            **MNIST,
        ),
        setting("cg-digits", DATASETS["cg-digits"].preset, _quick("cg-digits", 14), ""),
        setting("uci-mfeat", DATASETS["uci-mfeat"].preset, _quick("uci-mfeat", 15), "uci-mfeat"),
        setting("cmu-mosi", DATASETS["cmu-mosi"].preset, _quick("cmu-mosi", 5), "cmu-mosi"),
        clips("crema-d"),
        clips("kinetics-sounds"),
        clips("modelnet40"),
        clips("nyuv2", batch_size=2),
        *(
            transformer(dataset, f"{dataset}-mbt{suffix}", pretrained)
            for dataset in ("crema-d", "kinetics-sounds")
            for suffix, pretrained in (("", None), ("-pretrained", PRETRAINED))
        ),
    ]
    return {each.name: each for each in every}


SETTINGS: dict[Preset, dict[str, Setting]] = {
    "quick": _settings("quick"),
    "paper": _settings("paper"),
}
"""The settings, by preset and then by name."""


def colors(preset: Preset, correlation: float) -> Setting:
    """Return the setting cg-digits with colors that follow the label with a probability.

    Args:
      preset: "quick" or "paper".
      correlation: The probability, 0 to 1, with which a training image has the color of its label.
        1 gives the setting "cg-digits" itself, another value one with its own name.
    """
    whole = SETTINGS[preset]["cg-digits"]
    if correlation == 1:
        return whole
    return dataclasses.replace(
        whole, name=f"cg-digits-correlation-{correlation}", correlation=correlation
    )
