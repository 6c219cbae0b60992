"""Colored-and-gray images: a gray image and a colored copy whose color depends on the label.

In training the color is drawn around the mean color of the label, in the test around that of a
random class. The color is easy to learn and misleads in the test, so a model that relies on it
neglects the gray image.

Source: Kim et al., "Learning not to learn: training deep neural networks with biased data",
CVPR 2019; the variance 0.03 and the pairing with the gray image: Fan et al., "PMR: prototypical
modal rebalance for multimodal learning", CVPR 2023.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config import Config, Optimization
from experiments.data._dataset import DataSet, Scaling, multimodal
from experiments.data.media.scaling import unit
from experiments.data.storage import from_arrays
from experiments.data.storage.fields import Fields

VERSION = "1.1.0"
"""The version of the prepared sets. In version 1.0.0 the field ``color`` had another name."""

MODALITIES: Mapping[str, Scaling] = {"gray": unit, "color": unit}

MEAN_COLORS = np.array(
    [
        [0.9, 0.1, 0.1],  # 0 red
        [0.1, 0.9, 0.1],  # 1 green
        [0.1, 0.1, 0.9],  # 2 blue
        [0.1, 0.9, 0.9],  # 3 cyan
        [0.9, 0.1, 0.9],  # 4 magenta
        [0.9, 0.9, 0.1],  # 5 yellow
        [0.9, 0.9, 0.9],  # 6 white
        [0.9, 0.5, 0.5],  # 7 pink
        [0.5, 0.9, 0.5],  # 8 light green
        [0.5, 0.5, 0.9],  # 9 light blue
    ],
    np.float32,
)
"""The mean color of each class, RGB in [0, 1], float32 [10, 3].

They are the seven corners of the cube [0.1, 0.9]^3 other than the black one, and the centers of its
three bright faces. Any two are at least 0.57 apart, 3.3 standard deviations of the jitter, and each
has a channel at 0.9, so that the digit stays visible.
"""

VARIANCE = 0.03
"""The variance of the jitter of each channel (Fan et al. 2023)."""


def colored_and_gray(
    images: np.ndarray, labels: np.ndarray, *, correlation: float, rng: np.random.Generator
) -> Fields:
    """Pair each gray image with a copy in one color.

    The color of a sample is drawn from a normal distribution around a mean color, with variance
    0.03 for each channel, and clipped to [0, 1]. The colored image is the gray intensity times
    that color, rounded to the nearest integer.

    Args:
      images: Gray images, uint8 [N, H, W].
      labels: Classes 0 to 9, any integer type, [N].
      correlation: The probability that the mean color of a sample is that of its label (1 in
        training). Otherwise it is that of a class drawn uniformly at random (0 in the test).
      rng: Source of randomness; its state alone determines the result.

    Returns:
      ``gray``, uint8 [N, H, W, 1]; ``color``, uint8 [N, H, W, 3]; ``label``, int32 [N].

    Raises:
      ValueError: If the images are not uint8 [N, H, W], the labels are not [N], or the correlation
        is not in [0, 1].

    Examples:
      >>> white = np.full((1, 2, 2), 255, np.uint8)
      >>> fields = colored_and_gray(
      ...     white, np.array([0]), correlation=1, rng=np.random.default_rng(0)
      ... )
      >>> fields["color"][0, 0, 0]
      array([235,  20,  54], dtype=uint8)
    """
    if not 0 <= correlation <= 1:
        raise ValueError(f"correlation must be in [0, 1], got {correlation}")
    if images.dtype != np.uint8 or images.ndim != 3 or labels.shape != images.shape[:1]:
        raise ValueError(
            f"images must be uint8 [N, H, W] and labels [N]; "
            f"got {images.dtype} {images.shape} and {labels.shape}"
        )
    count = len(labels)
    classes = labels
    if correlation < 1:
        classes = rng.integers(len(MEAN_COLORS), size=count)
    if 0 < correlation < 1:
        classes = np.where(rng.random(count) < correlation, labels, classes)
    jitter = np.sqrt(VARIANCE) * rng.standard_normal((count, 3))
    colors = np.clip(MEAN_COLORS[classes] + jitter, 0, 1).astype(np.float32)
    colored = np.empty((*images.shape, 3), np.uint8)
    for channel in range(3):
        colored[..., channel] = np.rint(images * colors[:, None, None, channel])
    return {
        "gray": images[..., None].copy(),
        "color": colored,
        "label": labels.astype(np.int32),
    }


def dataset(
    name: str,
    description: str,
    arrays: Callable[[str | Path | None], dict[str, Fields]],
    *,
    side: int,
    optimization: Optimization = Config.optimization,
) -> DataSet:
    """Return the description of a set of colored-and-gray digits, whose files are not required.

    Args:
      name: The name of the set on the command line.
      description: One line about the set, which is kept with the prepared set.
      arrays: Function that makes the set in memory from the folder of its files; a function of a
        module, so that it can be pickled.
      side: Height and width of the images, in pixels.
      optimization: The default optimization.
    """
    return DataSet(
        name=name,
        kind="images",
        modalities=MODALITIES,
        objectives=multimodal(MODALITIES, len(MEAN_COLORS)),
        recipe=from_arrays.recipe(
            name.replace("-", "_"),
            description,
            functools.partial(features, side=side),
            arrays,
            version=VERSION,
        ),
        arrays=arrays,
        needs_files=False,
        model="cg-cnn",
        optimization=optimization,
    )


def features(side: int) -> dict[str, Any]:
    """Return the TFDS feature of each field, for square images of ``side`` pixels a side."""
    import tensorflow_datasets as tfds

    return {
        "gray": tfds.features.Image(shape=(side, side, 1)),
        "color": tfds.features.Image(shape=(side, side, 3)),
        "label": tfds.features.ClassLabel(num_classes=len(MEAN_COLORS)),
    }
