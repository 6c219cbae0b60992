"""What a feed is."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import jax
import numpy as np

from experiments.data import Batch


class Batches(Protocol):
    """An iterator of batches that is closed when no more are wanted."""

    def __iter__(self) -> Iterator[Batch]:
        """Itself."""

    def __next__(self) -> Batch:
        """Return the next batch."""

    def close(self) -> None:
        """End what makes the batches."""


class Feed(Protocol):
    """The batches of one data set on the devices."""

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in the training set."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """By field, the shape of one sample."""

    def training(self, key: jax.Array, steps: range) -> Batches:
        """Yield the batches of some steps. An epoch visits samples once, in an order of its own.

        Args:
          key: Decides the order and all randomness of the samples.
          steps: The numbers of the batches, one after the other, counted from the first epoch on.
            A batch is the same whichever number the iterator begins with.
        """

    def evaluation(self, split: str) -> Iterator[tuple[Batch, np.ndarray]]:
        """Yield a set once, in its order: batches, and which of their samples count, bool ``[B]``.

        The last batch is filled up with samples that do not count. Samples are as in the test, also
        those of the training set.

        Args:
          split: "test", "train" or, where a part of the training set is kept out, "held-out".
        """
