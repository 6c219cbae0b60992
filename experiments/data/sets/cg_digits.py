"""Colored-and-gray digits, made from images that scikit-learn bundles, so it needs no files.

Source: the test part of Alpaydin and Kaynak, "Optical recognition of handwritten digits", UCI
Machine Learning Repository, 1998; ``_colored_gray`` describes the coloring.
"""

import numpy as np

from experiments.data.sets._colored_gray import colored_and_gray, dataset
from experiments.data.storage.fields import Fields

TEST_SIZE = 500
"""Number of test samples among the 1,797 images; the split is stratified by class."""

SEED = 0
"""Seed of the split and the colors."""


def arrays(correlation: float = 1) -> dict[str, Fields]:
    """Make the colored-and-gray digits in memory, always the same.

    Args:
      correlation: The probability, 0 to 1, with which the color of a training image is that of its
        label, as in ``colored_and_gray``. 1 by default; the test set has 0.

    Returns:
      ``train`` (1,297 samples) and ``test`` (500), each with ``gray``, uint8 [N, 8, 8, 1];
      ``color``, uint8 [N, 8, 8, 3]; ``label``, int32 [N].

    Examples:
      >>> arrays()["train"]["color"].shape
      (1297, 8, 8, 3)
    """
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    images = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    train_images, test_images, train_labels, test_labels = train_test_split(
        images, digits.target, test_size=TEST_SIZE, stratify=digits.target, random_state=SEED
    )
    rng = np.random.default_rng(SEED)
    return {
        "train": colored_and_gray(train_images, train_labels, correlation=correlation, rng=rng),
        "test": colored_and_gray(test_images, test_labels, correlation=0, rng=rng),
    }


def _arrays(data_dir: object) -> dict[str, Fields]:
    """Return the arrays with correlation 1, as ``DataSet`` asks for them; the folder is ignored."""
    del data_dir
    return arrays()


DATASET = dataset(
    "cg-digits",
    "Gray digits, each with a copy in a color that depends on the class.",
    _arrays,
    side=8,
)
