"""A miniature of the multi-task benchmark's NYUv2: SPLIT/{image,label,depth}/NUMBER.npy."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

HEIGHT, WIDTH = 288, 384
COUNTS = {"train": 3, "val": 2}

AS_PUBLISHED: dict[str, Any] = {"noise": 0.03}
"""The options of ``write`` with which a scene compresses no better than a real one."""


def write(
    folder: Path,
    *,
    counts: Mapping[str, int] = COUNTS,
    test: str = "val",
    noise: float = 0.0,
) -> None:
    """Write the scenes of the miniature, three files each.

    Args:
      folder: The folder of the folders of the splits.
      counts: The number of scenes of ``train`` and ``val``.
      test: Name of the folder of ``val``.
      noise: Standard deviation of the noise that ``scene`` adds; 0 adds none.
    """
    for split, count in counts.items():
        for number in range(count):
            for field, array in scene(split, number, noise).items():
                path = folder / (test if split == "val" else split) / field / f"{number}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                np.save(path, array)


def scene(split: str, number: int, noise: float = 0.0) -> dict[str, np.ndarray]:
    """Draw a scene of rectangles whose color and depth each determine their class.

    The image is float32 in [0, 1] with color (19 c / 255, 1 - 19 c / 255, 0.5) for class c, where
    pixels without a class count as class 13. The label is float32, -1 to 12. The depth is c / 2 + 1
    meters, and 0 in a corner.

    Args:
      split: ``train`` or ``val``.
      number: Number of the scene in the split.
      noise: Standard deviation of the noise that is added to each intensity, and of the relative
        noise of the depth.
    """
    rng = np.random.default_rng([number, split == "val"])
    classes = rng.integers(14, size=(9, 12)).repeat(32, axis=0).repeat(32, axis=1)
    image = np.stack([19 * classes / 255, 1 - 19 * classes / 255, np.full(classes.shape, 0.5)], -1)
    depth = classes[..., None] / 2 + 1
    depth[:32, :32] = 0
    if noise:
        image = np.clip(image + noise * rng.standard_normal(image.shape), 0, 1)
        depth = np.maximum(depth * (1 + noise * rng.standard_normal(depth.shape)), 0)
    return {
        "image": image.astype(np.float32),
        "label": np.where(classes == 13, -1, classes).astype(np.float32),
        "depth": depth.astype(np.float32),
    }
