"""The recipe of data sets that are made in memory before they are written to disk."""

import functools
import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.data.media.images import png
from experiments.data.storage.fields import Fields
from experiments.data.storage.recipe import Examples, Recipe

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder

Arrays = Callable[[Path | None], dict[str, Fields]]
"""Function that makes "train" and "test" in memory from the folder of the files, if any."""


def recipe(
    name: str,
    description: str,
    features: Callable[[], dict[str, Any]],
    arrays: Arrays,
    version: str = Recipe.version,
) -> Recipe:
    """Return the recipe of a set that is written in the order of its arrays.

    Fields that are uint8 images [N, H, W, 1 or 3] are written as PNG files, others as they are.

    Args:
      name: The folder of the prepared set.
      description: One line about the set.
      features: Function that returns the TFDS feature of each field.
      arrays: Function that makes the set in memory, equal to what is later read from disk. It must
        be a function of a module, so that it can be pickled.
      version: Version of the examples; it must increase when they change.
    """
    return Recipe(
        name, description, features, functools.partial(_examples, arrays), version=version
    )


def _examples(arrays: Arrays, builder: "RecipeBuilder") -> Mapping[str, Examples]:
    return {split: _numbered(fields) for split, fields in arrays(builder.files_dir).items()}


def _numbered(fields: Fields) -> Examples:
    for index in range(len(next(iter(fields.values())))):
        yield index, {name: _encoded(field[index]) for name, field in fields.items()}


def _encoded(value: np.ndarray) -> object:
    if value.dtype != np.uint8 or value.ndim != 3:
        return value
    return io.BytesIO(png(value))
