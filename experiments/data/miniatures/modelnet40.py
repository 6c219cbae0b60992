"""A miniature of ModelNet40's renderings: CLASS/SPLIT/OBJECT_VIEW.png, gray, 224 x 224."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

CLASSES = (
    "airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car", "chair", "cone",
    "cup", "curtain", "desk", "door", "dresser", "flower_pot", "glass_box", "guitar", "keyboard",
    "lamp", "laptop", "mantel", "monitor", "night_stand", "person", "piano", "plant", "radio",
    "range_hood", "sink", "sofa", "stairs", "stool", "table", "tent", "toilet", "tv_stand", "vase",
    "wardrobe", "xbox",
)  # fmt: skip

SHADED = "{name}.obj.shaded_v{view:03d}.png"
PLAIN = "{name}_{view:03d}.png"
COUNTS = {"train": 2, "test": 1}

AS_PUBLISHED: dict[str, Any] = {"views": (1, 7), "noise": 8.0}
"""The options of ``write`` for a front and a back, with noise in place of shading."""


def write(
    folder: Path,
    *,
    counts: Mapping[str, int] = COUNTS,
    spelling: str = SHADED,
    views: Sequence[int] = range(1, 13),
    side: int = 224,
    mode: str = "L",
    noise: float = 0.0,
) -> None:
    """Write the views of some objects of each class.

    A view is a uniform image of ``gray`` with a white pixel in the top left corner and, in the
    middle, a square of half the side with noise.

    Args:
      folder: The folder of the folders of the classes.
      counts: The number of objects of each class in each split.
      spelling: Format of the file name of an object and a view.
      views: The numbers of the views.
      side: Height and width, in pixels.
      mode: Pillow's mode of the images.
      noise: Standard deviation of the noise, in levels of gray.
    """
    from PIL import Image

    rng = np.random.default_rng(0)
    middle = slice(side // 4, 3 * side // 4)
    for label, name in enumerate(CLASSES):
        number = 0
        for split, count in counts.items():
            (folder / name / split).mkdir(parents=True, exist_ok=True)
            for _ in range(count):
                number += 1
                for place, view in enumerate(views):
                    pixels = np.full((side, side), gray(label, number, place), np.float32)
                    pixels[0, 0] = 255
                    square = pixels[middle, middle]
                    square += noise * rng.standard_normal(square.shape, np.float32)
                    file = spelling.format(name=f"{name}_{number:04d}", view=view)
                    image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
                    image.convert(mode).save(folder / name / split / file)


def gray(label: int, number: int, place: int) -> int:
    """Return the gray level, 0 to 254, of an object's view.

    Args:
      label: The index of the class.
      number: The number of the object in its class, from 1.
      place: The index of the view among those that are written, from 0.
    """
    return (label * 6 + number * 2 + place * 19) % 255
