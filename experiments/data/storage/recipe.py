"""The type that describes how a data set is written to disk."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder

Example = dict[str, Any]
"""One sample as the features of its recipe describe it.

Images are encoded bytes, because TFDS needs TensorFlow to encode an array.
"""

Examples = Iterator[tuple[str | int, Example]]
"""The samples of a split, each in a pair with a key that is unique in the split."""


@dataclass(frozen=True)
class Recipe:
    """How a data set is written to disk; a recipe can be pickled.

    Attributes:
      name: The folder of the prepared set, in the folder of all prepared sets.
      description: One line about the set, which is kept with it.
      features: Function that returns the TFDS feature of each field. It imports
        ``tensorflow_datasets``, so that the description of a data set does not need it.
      examples: Function that returns the samples of "train" and "test", from the files of the
        builder. It calls ``skip`` of the builder for each sample that it leaves out, and raises a
        :class:`UserError` if the files are missing, damaged, or not those of the set.
      version: Version of the examples; it must increase when they change.
    """

    name: str
    description: str
    features: Callable[[], dict[str, Any]]
    examples: Callable[["RecipeBuilder"], Mapping[str, Examples]]
    version: str = "1.0.0"
