"""The interface of feeds, which bring the batches of a data set to the devices."""

from collections.abc import Iterator, Mapping
from typing import Protocol

import jax
import numpy as np

from experiments.data import Batch


class Batches(Protocol):
    """An iterator of batches; it must be closed when no more are needed."""

    def __iter__(self) -> Iterator[Batch]:
        """Return the iterator itself."""

    def __next__(self) -> Batch:
        """Return the next batch: by field, an array ``[B, ...]`` on the devices."""

    def close(self) -> None:
        """Stop making batches."""


class Feed(Protocol):
    """The batches of one data set, on the devices."""

    @property
    def steps_per_epoch(self) -> int:
        """Return the number of full batches in the training set."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Return the shape of one sample, by field, without the axis of samples."""

    def training(self, key: jax.Array, steps: range) -> Batches:
        """Return the batches of some steps; an epoch visits a sample at most once, in random order.

        Args:
          key: Decides the order and all other randomness of the samples.
          steps: A range of consecutive steps, counted from 0 at the start of the first epoch. The
            batch of a step does not depend on where the range begins.
        """

    def evaluation(self, split: str) -> Iterator[tuple[Batch, np.ndarray]]:
        """Yield the batches of a set in order, each with a mask of the samples that count.

        The mask is bool ``[B]``: the last batch is filled up with samples that do not count.
        Samples are those of evaluation, without augmentation, also for the training set.

        Args:
          split: "test", "train" or, if a part of the training set is held out, "held-out".
        """
