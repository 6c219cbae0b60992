"""Splits of a prepared set that are read from disk and decoded sample by sample."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from experiments.data.storage.fields import Fields
from experiments.data.storage.prepared import reporting_damage

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder

Example = Mapping[str, Any]
"""A stored example: images as encoded bytes (several of them in an array of objects), arrays,
labels as integers, text as bytes."""


class Transforms(NamedTuple):
    """The functions that make samples from stored examples.

    They must be functions of a module, so that they can be sent to worker processes.

    Attributes:
      training: Function of an example and a random generator that returns a training sample.
      evaluation: Function of an example that returns an evaluation sample, always the same.
    """

    training: Callable[[Any, np.random.Generator], Fields]
    evaluation: Callable[[Any], Fields]


@dataclass(frozen=True)
class Samples:
    """The samples of one split, made from stored examples when they are requested.

    Cloudpickle can send this object to worker processes, which then make the samples.

    Attributes:
      examples: The stored examples, by index.
      training: Function of an example and a random generator that returns a training sample.
      evaluation: Function of an example that returns an evaluation sample.
    """

    examples: Sequence[Example]
    training: Callable[[Example, np.random.Generator], Fields]
    evaluation: Callable[[Example], Fields]

    def __len__(self) -> int:
        return len(self.examples)

    def subset(self, rows: np.ndarray) -> "Samples":
        """Return the samples in the given rows, in that order.

        Args:
          rows: Indices of this object's samples, int ``[N]``.
        """
        return replace(self, examples=_Subset(self.examples, rows))

    def training_batch(
        self, indices: np.ndarray, rng: np.random.Generator, rows: np.ndarray | None = None
    ) -> Fields:
        """Make a batch of training samples.

        Args:
          indices: The indices of the samples of the batch, [B].
          rng: Source of randomness. Each sample gets its own generator, so it does not depend on
            which other rows are made.
          rows: The rows of the batch to make; by default all.

        Returns:
          An array per field, with the samples of these rows along the first axis.
        """
        seeds = rng.integers(2**63, size=len(indices))
        chosen = range(len(indices)) if rows is None else rows
        return _stacked(
            [
                self.training(self.examples[int(indices[row])], np.random.default_rng(seeds[row]))
                for row in chosen
            ]
        )

    def evaluation_batch(self, indices: np.ndarray) -> Fields:
        """Make a batch of evaluation samples.

        Args:
          indices: The indices of the samples, int ``[B]``.

        Returns:
          An array per field, with the samples along the first axis.
        """
        return _stacked([self.evaluation(self.examples[int(index)]) for index in indices])


@dataclass(frozen=True)
class _Subset(Sequence[Example]):
    examples: Sequence[Example]
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> Any:
        return self.examples[int(self.rows[index])]


def samples(opened: "RecipeBuilder", split: str, transforms: Transforms) -> Samples:
    """Return the samples of a split of a prepared set.

    Args:
      opened: The builder of the prepared set.
      split: "train" or "test".
      transforms: The functions that make samples from its examples.
    """
    return Samples(_examples(opened, split), transforms.training, transforms.evaluation)


@dataclass(frozen=True)
class _Stored(Sequence[Example]):
    """Examples on disk; reading a damaged one raises a :class:`UserError`.

    Attributes:
      source: The TFDS source that reads them.
      home: The folder of the prepared set.
    """

    source: Sequence[Example]
    home: str

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        with reporting_damage(self.home):
            return self.source[index]


def _examples(opened: "RecipeBuilder", split: str) -> Sequence[Example]:
    """Return the stored examples of a split, which are read when indexed, images as encoded bytes.

    Raises:
      UserError: If the prepared set is damaged.
    """
    import tensorflow_datasets as tfds

    class Encoded(tfds.decode.SkipDecoding):
        """Leave a sequence of images encoded, which TFDS supports only for a single image."""

        def decode_batch_example_np(self, example: np.ndarray) -> np.ndarray:
            return example

    def is_image(feature: Any) -> bool:
        return isinstance(getattr(feature, "feature", feature), tfds.features.Image)

    features = opened.info.features
    decoders = {name: Encoded() for name in features if is_image(features[name])}
    home = str(opened.data_path)
    with reporting_damage(home):
        return _Stored(opened.as_data_source(split, decoders=decoders), home)


def _stacked(rows: list[Fields]) -> Fields:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
