"""MultiMNIST: two digits side by side, the right one with noise; two tasks on one image.

The paper puts "50% salt-and-pepper noise on the right part of images" to make one task harder. We
read this as follows: each pixel of the right half is replaced with probability 1/2, by black or
white with equal probability.

Source: Sabour, Frosst and Hinton, "Dynamic routing between capsules", NeurIPS 2017, for the idea;
Wei and Hu, "MMPareto", ICML 2024, section 4.6 and appendix C, for this arrangement.
"""

from pathlib import Path
from typing import Any

import numpy as np

from experiments.config import PAPER
from experiments.data._dataset import DataSet, multitask
from experiments.data.media.scaling import unit
from experiments.data.sets import _mnist as mnist
from experiments.data.storage import from_arrays
from experiments.data.storage.fields import Fields
from experiments.tasks import Classification

SEED = 0
"""Seed of the pairs and the noise."""


def arrays(data_dir: str | Path | None) -> dict[str, Fields]:
    """Make MultiMNIST in memory from the files of MNIST, always the same.

    Args:
      data_dir: The folder of the MNIST files; missing files are downloaded there.

    Returns:
      ``train`` (60,000 samples, from MNIST's training images) and ``test`` (10,000, from its test
      images), each with ``image``, uint8 [N, 28, 56, 1]; ``left`` and ``right``, the classes of the
      two digits, int32 [N].

    Raises:
      UserError: If no folder is named, or the files cannot be read or downloaded.
    """
    splits = mnist.read_for("multi-mnist", data_dir)
    rng = np.random.default_rng(SEED)
    return {split: side_by_side(*splits[split], rng) for split in ("train", "test")}


def side_by_side(images: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Fields:
    """Put a noisy image of another class beside each image.

    Args:
      images: Gray images, uint8 [N, H, W].
      labels: Their classes, [N]; no class may have more than half of the images.
      rng: Source of randomness.

    Returns:
      ``image``, uint8 [N, H, 2W, 1], where the left half of sample i is image i; ``left`` and
      ``right``, int32 [N]. Each image is used once on either side.

    Raises:
      ValueError: If a class has more than half of the images, so that there are no such pairs.

    Examples:
      >>> images = np.full((2, 1, 1), 7, np.uint8)
      >>> fields = side_by_side(images, np.array([3, 5]), np.random.default_rng(0))
      >>> fields["image"][..., 0, 0], fields["right"]
      (array([[7],
             [7]], dtype=uint8), array([5, 3], dtype=int32))
    """
    partners = _partners(labels, rng)
    canvas = np.concatenate([images, _noisy(images[partners], rng)], axis=2)
    return {
        "image": canvas[..., None],
        "left": labels.astype(np.int32),
        "right": labels[partners].astype(np.int32),
    }


def _partners(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a permutation that gives each image a partner of another class, int64 [N].

    It starts with a random permutation. Each image whose partner has its own class then swaps
    partners with a random image such that both partners have another class. Such an image exists if
    no class has more than half of the images.
    """
    count = len(labels)
    if 2 * np.unique(labels, return_counts=True)[1].max(initial=0) > count:
        raise ValueError("a class has more than half of the images: they cannot all be paired")
    partners = rng.permutation(count)
    for index in np.flatnonzero(labels == labels[partners]):
        while labels[index] == labels[partners[index]]:
            other = rng.integers(count)
            swapped = labels[partners[other]], labels[partners[index]]
            if labels[index] != swapped[0] and labels[other] != swapped[1]:
                partners[[index, other]] = partners[[other, index]]
    return partners


def _noisy(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return uint8 images in which each pixel is replaced, with probability 1/2, by black or white.

    Black and white have the same probability: of four equal draws, two keep the pixel.
    """
    draws = rng.integers(4, size=images.shape, dtype=np.uint8)
    return np.where(draws < 2, draws * np.uint8(255), images)


def _features() -> dict[str, Any]:
    import tensorflow_datasets as tfds

    return {
        "image": tfds.features.Image(shape=(28, 56, 1)),
        "left": tfds.features.ClassLabel(num_classes=10),
        "right": tfds.features.ClassLabel(num_classes=10),
    }


DATASET = DataSet(
    name="multi-mnist",
    kind="digits",
    modalities={"image": unit},
    objectives=multitask(
        {"left": Classification(10, "left"), "right": Classification(10, "right")}
    ),
    recipe=from_arrays.recipe(
        "multi_mnist",
        "Two MNIST digits side by side, the right one under noise.",
        _features,
        arrays,
    ),
    arrays=arrays,
    needs_files=False,
    model="lenet",
    optimization=PAPER,
)
