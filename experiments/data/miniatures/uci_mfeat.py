"""A miniature of UCI Multiple Features: six text files of numbers, classes one after the other."""

from pathlib import Path

import numpy as np

WIDTHS = {"fac": 216, "fou": 76, "kar": 64, "mor": 6, "pix": 240, "zer": 47}


def write(folder: Path, *, samples: int = 2000, seed: int = 0) -> None:
    """Write the six files: normal features around a mean of each class, the last one constant.

    The columns are aligned with spaces, as in the files of the repository.

    Args:
      folder: The folder of the files.
      samples: The number of samples of all ten classes together.
      seed: Seed of the numbers.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    labels = np.arange(samples) * 10 // samples
    for view, width in WIDTHS.items():
        means = rng.normal(50, 20, (10, width))
        features = means[labels] + rng.normal(size=(samples, width))
        features[:, -1] = 7.1
        lines = "\n".join("".join(f" {value:7.2f}" for value in row) for row in features)
        (folder / f"mfeat-{view}").write_text(lines + "\n")


def read(folder: Path, view: str) -> np.ndarray:
    """Read the features of a view with NumPy, float64 [samples, features].

    Args:
      folder: The folder of the files.
      view: A key of ``WIDTHS``.
    """
    return np.loadtxt(folder / f"mfeat-{view}")
