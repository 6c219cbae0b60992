"""UCI Multiple Features: handwritten digits described by six sets of features.

Source: Duin, "Multiple Features", UCI Machine Learning Repository, 1998.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data._dataset import DataSet, Scaling, multimodal
from experiments.data.media.scaling import as_stored
from experiments.data.media.standardization import moments
from experiments.data.storage import from_arrays
from experiments.data.storage.fields import Fields
from experiments.data.storage.lfs import refuse_pointer
from experiments.errors import UserError

VIEWS = {
    "fac": 216,  # profile correlations
    "fou": 76,  # Fourier coefficients of the shape
    "kar": 64,  # Karhunen-Loeve coefficients
    "mor": 6,  # morphological features
    "pix": 240,  # averages of 2 x 3 pixels
    "zer": 47,  # Zernike moments
}
"""The number of features of each view, whose file is ``mfeat-NAME``."""

NUM_CLASSES = 10

CLASS_SIZE = 200
"""Samples per class. Each file has the samples of class 0, then those of class 1, and so on."""

TEST_SIZE = 50
"""Test samples per class; the set is published without a split."""

SEED = 0
"""Seed of the split."""


def arrays(data_dir: str | Path | None) -> dict[str, Fields]:
    """Read the six files and split them, always in the same way.

    50 random samples of each class are the test split, the other 150 the training split. Every
    feature is standardized with the mean and standard deviation of the training split; a feature
    that is constant there is only shifted.

    Args:
      data_dir: The folder of ``mfeat-fac``, ``mfeat-fou``, ``mfeat-kar``, ``mfeat-mor``,
        ``mfeat-pix`` and ``mfeat-zer``.

    Returns:
      ``train`` (1,500 samples) and ``test`` (500), each in the order of the files, with ``fac``,
      float32 [N, 216]; ``fou`` [N, 76]; ``kar`` [N, 64]; ``mor`` [N, 6]; ``pix`` [N, 240]; ``zer``
      [N, 47]; and ``label``, int32 [N].

    Raises:
      UserError: If no folder is named; or a file is missing, or does not have 2,000 lines with one
        finite number per feature.
    """
    if data_dir is None:
        raise UserError("uci-mfeat is made from the mfeat files: name their folder with --data-dir")
    views = {view: _read(Path(data_dir) / f"mfeat-{view}", width) for view, width in VIEWS.items()}
    labels = np.repeat(np.arange(NUM_CLASSES, dtype=np.int32), CLASS_SIZE)
    rows = _split()
    fields: dict[str, Fields] = {split: {} for split in rows}
    for view, features in views.items():
        mean, deviation = moments(features[rows["train"]])
        standardized = ((features - mean) / deviation).astype(np.float32)
        for split in rows:
            fields[split][view] = standardized[rows[split]]
    for split in rows:
        fields[split]["label"] = labels[rows[split]]
    return fields


def _split() -> dict[str, np.ndarray]:
    """Return the rows of the files that belong to each split, int [N] in ascending order."""
    rng = np.random.default_rng(SEED)
    is_test = np.concatenate([rng.permutation(CLASS_SIZE) < TEST_SIZE for _ in range(NUM_CLASSES)])
    return {"train": np.flatnonzero(~is_test), "test": np.flatnonzero(is_test)}


def _read(path: Path, width: int) -> np.ndarray:
    """Read the numbers in a file, float64 [2000, width].

    Raises:
      UserError: If the file is missing, or does not have 2,000 lines of ``width`` finite numbers.
    """
    refuse_pointer(path)
    try:
        lines = path.read_text("ascii").splitlines()
        return _parsed([line.split() for line in lines if line.strip()], width)
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: the folder must have all six mfeat files") from error
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be used ({error}): replace it by the file of the UCI repository"
        ) from error


def _parsed(rows: list[list[str]], width: int) -> np.ndarray:
    if len(rows) != NUM_CLASSES * CLASS_SIZE:
        raise ValueError(f"it has {len(rows)} samples, not {NUM_CLASSES * CLASS_SIZE}")
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise ValueError(f"sample {number} has {len(row)} features, not {width}")
    features = np.array([[float(number) for number in row] for row in rows])
    if not np.isfinite(features).all():
        raise ValueError(f"sample {np.argwhere(~np.isfinite(features))[0][0] + 1} is not finite")
    return features


def _features() -> dict[str, Any]:
    import tensorflow_datasets as tfds

    return {
        **{
            view: tfds.features.Tensor(shape=(width,), dtype=np.float32)
            for view, width in VIEWS.items()
        },
        "label": tfds.features.ClassLabel(num_classes=NUM_CLASSES),
    }


_MODALITIES: Mapping[str, Scaling] = dict.fromkeys(VIEWS, as_stored)

DATASET = DataSet(
    name="uci-mfeat",
    kind="features",
    modalities=_MODALITIES,
    objectives=multimodal(_MODALITIES, NUM_CLASSES),
    recipe=from_arrays.recipe(
        "uci_mfeat",
        "Handwritten digits described by six sets of features.",
        _features,
        arrays,
    ),
    arrays=arrays,
    model="mlp",
)
