"""The features of the colored-and-gray data sets."""

from typing import Any

import tensorflow_datasets as tfds

from experiments.data.sets._colored_gray import MEAN_COLOURS


def features(side: int) -> dict[str, Any]:
    """Return the features of square images of `side` pixels."""
    return {
        "gray": tfds.features.Image(shape=(side, side, 1)),
        "colour": tfds.features.Image(shape=(side, side, 3)),
        "label": tfds.features.ClassLabel(num_classes=len(MEAN_COLOURS)),
    }
