"""Colored-and-gray MNIST, made from the files of MNIST."""

from pathlib import Path

import numpy as np

from experiments.config import PAPER
from experiments.data.sets import _mnist as mnist
from experiments.data.sets._colored_gray import colored_and_gray, dataset
from experiments.data.storage.fields import Fields

SEED = 0
"""Seed of the colors."""


def arrays(data_dir: str | Path | None) -> dict[str, Fields]:
    """Make colored-and-gray MNIST in memory, always the same.

    Args:
      data_dir: The folder of the MNIST files; missing files are downloaded there.

    Returns:
      ``train`` (60,000 samples) and ``test`` (10,000), each with ``gray``, uint8 [N, 28, 28, 1];
      ``color``, uint8 [N, 28, 28, 3]; ``label``, int32 [N].

    Raises:
      UserError: If no folder is named, or the files cannot be read or downloaded.
    """
    splits = mnist.read_for("cg-mnist", data_dir)
    rng = np.random.default_rng(SEED)
    return {
        "train": colored_and_gray(*splits["train"], correlation=1, rng=rng),
        "test": colored_and_gray(*splits["test"], correlation=0, rng=rng),
    }


DATASET = dataset(
    "cg-mnist",
    "Gray MNIST images, each with a copy in a color that depends on the class.",
    arrays,
    side=28,
    optimization=PAPER,
)
