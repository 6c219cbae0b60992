"""A data set that is read, decoded and augmented while the devices compute."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

import grain
import jax
import numpy as np
from jax.sharding import Mesh

from experiments import devices
from experiments.data.fields import Fields
from experiments.data.samples import Samples
from experiments.feeds._feed import Batch, Batches
from experiments.worker import end_with_parent

AHEAD = 2
"""Batches that wait on the devices, and those that wait in each worker process."""


class Streamed:
    """Batches made by worker processes and placed on the devices ahead of their use.

    A process of several makes only the rows that its own devices hold.

    Args:
      splits: Sets by name; "train" is the training set.
      batch_size: Samples per step.
      mesh: Of axes "data" and "model", see :func:`experiments.devices.make_mesh`.
      workers: Processes that make batches, which end with this one, even if it is killed; 0 makes
        them in threads of this process.
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
        """As in :class:`Feed`."""
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
        """As in :class:`Feed`."""
        samples = self._sets[split]
        size, number = self._batch_size, len(samples)
        rows = np.arange(number + -number % size).reshape(-1, size)
        indices = rows[:, self._rows] % number
        batches = grain.MapDataset.source(indices).map(samples.evaluation_batch)
        with closing(self._placed(batches)) as placed:
            for row, batch in zip(rows, placed, strict=True):
                yield batch, row < number

    def _placed(self, batches: grain.MapDataset) -> Batches:
        if self._workers:
            _mark_flags_as_parsed()
            one_by_one = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
            stream = batches.to_iter_dataset(one_by_one).mp_prefetch(
                grain.MultiprocessingOptions(
                    num_workers=self._workers, per_worker_buffer_size=AHEAD
                ),
                worker_init_fn=end_with_parent,
            )
        else:
            threads = grain.ReadOptions(num_threads=AHEAD, prefetch_buffer_size=AHEAD)
            stream = batches.to_iter_dataset(threads)
        on_devices = stream.map(lambda batch: jax.tree.map(self._place, batch))
        return iter(
            grain.experimental.ThreadPrefetchIterDataset(on_devices, prefetch_buffer_size=AHEAD)
        )

    def _place(self, rows: np.ndarray) -> jax.Array:
        shape = (self._batch_size, *rows.shape[1:])
        return jax.make_array_from_process_local_data(self._sharding, rows, shape)


@dataclass(frozen=True)
class _TrainingBatch:
    samples: Samples
    rows: np.ndarray

    def __call__(self, indices: np.ndarray, rng: np.random.Generator) -> Fields:
        return self.samples.training_batch(indices, rng, self.rows)


def _rows_of_this_process(sharding: jax.sharding.Sharding, batch_size: int) -> np.ndarray:
    rows = np.arange(batch_size)
    own = sharding.addressable_devices_indices_map((batch_size,)).values()
    return np.unique(np.concatenate([rows[index] for index in own]))


def _mark_flags_as_parsed() -> None:
    """Grain's workers read flags of absl, which only its own entry point parses."""
    from absl import flags

    if not flags.FLAGS.is_parsed():
        flags.FLAGS.mark_as_parsed()
