"""The description of how a data set is written to disk."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder

Example = dict[str, Any]
"""One sample as the features of its recipe describe it.

Images are encoded bytes, because TFDS asks for TensorFlow to encode an array.
"""

Examples = Iterator[tuple[str | int, Example]]
"""The samples of a split, each after a key that is unique in the split."""


@dataclass(frozen=True)
class Recipe:
    """How a data set is written to disk; standard pickle can send it to other processes.

    Attributes:
      name: The folder of the prepared set, below that of all prepared sets.
      description: One line about the set, which is kept with it.
      features: Returns the TFDS feature of each field. It imports ``tensorflow_datasets`` itself,
        so that describing a data set does not.
      examples: Returns the samples of "train" and "test", from the files that the builder names.
        It calls ``skip`` of the builder for each sample that it leaves out, and raises a
        :class:`UserError` if the files are missing, damaged, or not what the set is made from.
      version: To be raised when the examples change.
    """

    name: str
    description: str
    features: Callable[[], dict[str, Any]]
    examples: Callable[["RecipeBuilder"], Mapping[str, Examples]]
    version: str = "1.0.0"
