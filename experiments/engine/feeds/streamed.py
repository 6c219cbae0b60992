"""The feed of a data set that is read, decoded and augmented while the devices compute."""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import grain
import jax
import numpy as np
from jax.sharding import Mesh

from experiments.data.storage.fields import Fields
from experiments.data.storage.samples import Samples
from experiments.data.storage.worker import Mapped
from experiments.engine import devices
from experiments.engine.feeds._feed import Batch, Batches

AHEAD = 2
"""The number of batches made ahead that wait on the devices, and in each worker process."""


class Streamed:
    """Batches made by worker processes and placed on the devices before they are needed.

    If the run has several processes, each makes only the rows that its own devices hold.

    Args:
      splits: The sets by name; "train" is the training set.
      batch_size: The number of samples per step.
      mesh: A mesh with axes "data" and "model" from :func:`experiments.engine.devices.make_mesh`.
      workers: The number of processes that make batches. They end with this one, even if it is
        killed. With 0, threads of this process make the batches.
    """

    def __init__(
        self, splits: Mapping[str, Samples], batch_size: int, mesh: Mesh, workers: int
    ) -> None:
        train = splits["train"]
        self.steps_per_epoch = len(train) // batch_size
        example = train.evaluation(train.examples[0])
        self.shapes = {name: np.shape(value) for name, value in example.items()}
        self._sets = splits
        self._batch_size = batch_size
        self._workers = workers
        self._sharding = devices.over_samples(mesh)
        self._rows = _rows_of_this_process(self._sharding, batch_size)

    def training(self, key: jax.Array, steps: range) -> Batches:
        """Return the training batches of some steps, augmented.

        Args:
          key: The random key of the order of the samples and of their augmentation.
          steps: A range of consecutive steps, counted from 0 at the start of the first epoch.
        """
        train = self._sets["train"]
        seed = int(jax.random.bits(key, dtype=np.uint32))
        batches = (
            grain.MapDataset.range(len(train))
            .shuffle(seed=seed)
            .batch(self._batch_size, drop_remainder=True)
            .repeat()
            .random_map(_TrainingBatch(train, self._rows), seed=seed)
        )
        return self._placed(batches[steps.start : steps.stop])

    def evaluation(self, split: str) -> Iterator[tuple[Batch, np.ndarray]]:
        """Yield the batches of a set in order, without augmentation, each with a mask.

        The mask of the samples that count is bool ``[B]``, False where the last batch is filled up.

        Args:
          split: The name of the set.
        """
        samples = self._sets[split]
        size, number = self._batch_size, len(samples)
        rows = np.arange(number + -number % size).reshape(-1, size)
        indices = rows[:, self._rows] % number
        batches = grain.MapDataset.source(indices).map(samples.evaluation_batch)
        with closing(self._placed(batches)) as placed:
            for row, batch in zip(rows, placed, strict=True):
                yield batch, row < number

    def _placed(self, batches: grain.MapDataset) -> Batches:
        made: Any
        if self._workers:
            made = Mapped(batches.__getitem__, range(len(batches)), self._workers, AHEAD)
        else:
            threads = grain.ReadOptions(num_threads=AHEAD, prefetch_buffer_size=AHEAD)
            made = iter(batches.to_iter_dataset(threads))
        return _Ahead(made, lambda batch: jax.tree.map(self._place, batch))

    def _place(self, rows: np.ndarray) -> jax.Array:
        shape = (self._batch_size, *rows.shape[1:])
        return jax.make_array_from_process_local_data(self._sharding, rows, shape)


@dataclass(frozen=True)
class _TrainingBatch:
    samples: Samples
    rows: np.ndarray

    def __call__(self, indices: np.ndarray, rng: np.random.Generator) -> Fields:
        return self.samples.training_batch(indices, rng, self.rows)


class _Ahead(Iterator[Batch]):
    """Batches that a thread places on the devices before they are requested.

    Args:
      made: Makes the batches on the host; it is closed together with this object.
      place: Places a batch on the devices.
    """

    def __init__(self, made: Any, place: Callable[[Fields], Batch]) -> None:
        self._made = made
        self._place = place
        self._waiting: queue.Queue[Batch | BaseException] = queue.Queue(AHEAD)
        self._closed = False
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def __next__(self) -> Batch:
        if self._closed:
            raise StopIteration
        if isinstance(self._made, Mapped):
            self._made.check()  # batches made before a process was killed may still be waiting
        batch = self._waiting.get()
        if isinstance(batch, BaseException):
            self.close()
            raise batch
        return batch

    def close(self) -> None:
        """Stop making batches; a following ``next`` raises ``StopIteration``."""
        self._closed = True
        self._made.close()
        while self._thread.is_alive():  # it may wait for room in the queue
            with suppress(queue.Empty):
                self._waiting.get(timeout=0.05)

    def _work(self) -> None:
        try:
            for batch in self._made:
                self._waiting.put(self._place(batch))
                if self._closed:
                    return
            self._waiting.put(StopIteration())
        except Exception as error:  # raised when the next batch is requested
            self._waiting.put(error)


def _rows_of_this_process(sharding: jax.sharding.Sharding, batch_size: int) -> np.ndarray:
    """Return the rows of a batch that the devices of this process hold, int [rows], sorted."""
    rows = np.arange(batch_size)
    own = sharding.addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([rows[index] for index in own]))
