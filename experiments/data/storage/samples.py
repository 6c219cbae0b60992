"""A split that is read from disk sample by sample."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from experiments.data.storage.fields import Fields
from experiments.data.storage.prepared import damage_told

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder

Example = Mapping[str, Any]
"""A stored example: images as encoded bytes (several of them in an array of objects), arrays,
labels as integers, text as bytes."""


class Transforms(NamedTuple):
    """The functions that make samples of stored examples; of a module, for worker processes.

    Attributes:
        training: makes a training sample of an example, with a generator of random numbers.
        evaluation: makes a sample of an example, always the same.
    """

    training: Callable[[Any, np.random.Generator], Fields]
    evaluation: Callable[[Any], Fields]


@dataclass(frozen=True)
class Samples:
    """The samples of one split, made of stored examples when they are asked for.

    Cloudpickle can send it to worker processes, so that they make them.

    Attributes:
        examples: the stored examples, by index.
        training: as in `Transforms`.
        evaluation: as in `Transforms`.
    """

    examples: Sequence[Example]
    training: Callable[[Example, np.random.Generator], Fields]
    evaluation: Callable[[Example], Fields]

    def __len__(self) -> int:
        return len(self.examples)

    def subset(self, rows: np.ndarray) -> "Samples":
        """Return the samples of some indices, [N], in that order."""
        return replace(self, examples=_Subset(self.examples, rows))

    def training_batch(
        self, indices: np.ndarray, rng: np.random.Generator, rows: np.ndarray | None = None
    ) -> Fields:
        """Make a batch of training samples.

        Args:
            indices: the samples of the batch, [B].
            rng: where the randomness comes from. Each sample has a generator of its own, so that
                it does not depend on the rows that are made with it.
            rows: the rows of the batch that are wanted; by default all.

        Returns:
            An array per field, with the wanted samples along the first axis.
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
        """Make a batch of the samples of some indices, [B]."""
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
        opened: the builder of the prepared set.
        split: "train" or "test".
        transforms: make samples of its examples.
    """
    return Samples(_examples(opened, split), transforms.training, transforms.evaluation)


@dataclass(frozen=True)
class _Stored(Sequence[Example]):
    """Examples on disk, whose damage shows when they are read.

    Attributes:
        source: reads them.
        home: the folder of the prepared set.
    """

    source: Sequence[Example]
    home: str

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        with damage_told(self.home):
            return self.source[index]


def _examples(opened: "RecipeBuilder", split: str) -> Sequence[Example]:
    """Return the examples of a split, with images left as encoded bytes."""
    import tensorflow_datasets as tfds

    class Encoded(tfds.decode.SkipDecoding):
        """Leaves a sequence of images encoded, which TFDS can do for a single image only."""

        def decode_batch_example_np(self, example: np.ndarray) -> np.ndarray:
            return example

    def is_image(feature: Any) -> bool:
        return isinstance(getattr(feature, "feature", feature), tfds.features.Image)

    features = opened.info.features
    decoders = {name: Encoded() for name in features if is_image(features[name])}
    home = str(opened.data_path)
    with damage_told(home):
        return _Stored(opened.as_data_source(split, decoders=decoders), home)


def _stacked(rows: list[Fields]) -> Fields:
    return {name: np.stack([row[name] for row in rows]) for name in rows[0]}
