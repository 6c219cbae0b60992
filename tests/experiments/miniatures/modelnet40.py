"""A miniature of ModelNet40's renderings: CLASS/SPLIT/OBJECT_VIEW.png, gray, 224 x 224."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

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


def write(
    folder: Path,
    *,
    spelling: str = SHADED,
    views: Sequence[int] = range(1, 13),
    side: int = 224,
    mode: str = "L",
) -> None:
    """Write two training objects and a test object of each class.

    A view is a uniform image of `gray`, but for a white pixel in the top left corner.
    """
    for label, name in enumerate(CLASSES):
        number = 0
        for split, count in COUNTS.items():
            (folder / name / split).mkdir(parents=True, exist_ok=True)
            for _ in range(count):
                number += 1
                for place, view in enumerate(views):
                    pixels = np.full((side, side), gray(label, number, place), np.uint8)
                    pixels[0, 0] = 255
                    file = spelling.format(name=f"{name}_{number:04d}", view=view)
                    Image.fromarray(pixels).convert(mode).save(folder / name / split / file)


def gray(label: int, number: int, place: int) -> int:
    """The gray of an object's view: `place` of the view, counted from 0."""
    return (label * 6 + number * 2 + place * 19) % 255
