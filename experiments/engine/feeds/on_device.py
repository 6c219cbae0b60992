"""The feed of a data set in the memory of the devices."""

import functools
from collections.abc import Iterator, Mapping

import jax
import numpy as np
from jax.sharding import Mesh

from experiments.data.storage.fields import Fields
from experiments.data.storage.holding_out import count
from experiments.engine import devices
from experiments.engine.feeds._feed import Batch, Batches

EVALUATION_BATCH = 8
"""The size of an evaluation batch, in training batches."""


class OnDevice:
    """Batches gathered on the devices from sets that are split over them.

    Args:
      splits: The sets by name, each with an array per field; "train" is the training set.
      batch_size: The number of samples per step.
      mesh: A mesh with axes "data" and "model" from :func:`experiments.engine.devices.make_mesh`.
    """

    def __init__(self, splits: Mapping[str, Fields], batch_size: int, mesh: Mesh) -> None:
        self._sizes = {name: count(fields) for name, fields in splits.items()}
        num_samples = self._sizes["train"]
        self.steps_per_epoch = num_samples // batch_size
        self.shapes = {name: field.shape[1:] for name, field in splits["train"].items()}
        self._sets = {name: devices.place_samples(mesh, dict(x)) for name, x in splits.items()}
        self._evaluation_batch_size = EVALUATION_BATCH * batch_size
        over_samples, replicated = devices.over_samples(mesh), devices.replicated(mesh)

        @functools.partial(jax.jit, out_shardings=replicated)
        def draw_order(key: jax.Array | np.ndarray, epoch: int) -> jax.Array:
            order = jax.random.permutation(jax.random.fold_in(key, epoch), num_samples)
            return order[: self.steps_per_epoch * batch_size].reshape(-1, batch_size)

        @functools.partial(jax.jit, out_shardings=over_samples)
        def select(fields: Batch, order: jax.Array | np.ndarray, row: int) -> Batch:
            return {name: field[order[row]] for name, field in fields.items()}

        def gather(fields: Batch, rows: jax.Array) -> Batch:
            batch = {name: field[rows] for name, field in fields.items()}
            return jax.lax.with_sharding_constraint(batch, over_samples)

        self._draw_order = draw_order
        self._select = select
        self.gather = gather

    @property
    def samples(self) -> Batch:
        """Return the training set: by field an array ``[N, ...]``, split over the devices.

        N may be filled up to a multiple of the devices; :meth:`order` does not visit those rows.
        """
        return self._sets["train"]

    def order(self, key: jax.Array, epoch: int) -> jax.Array:
        """Return the rows of the samples in each batch of an epoch, int ``[steps, B]``.

        Args:
          key: The random key of the run.
          epoch: The number of the epoch, from 0.
        """
        return self._draw_order(np.asarray(key), epoch)

    def training(self, key: jax.Array, steps: range) -> Batches:
        """Return the training batches of some steps, gathered on the devices.

        Args:
          key: The random key of the order of the samples.
          steps: A range of consecutive steps, counted from 0 at the start of the first epoch.
        """
        # The key is copied now, because its state may be consumed before the first batch is made.
        return self._training(np.asarray(key), steps)

    def _training(self, key: np.ndarray, steps: range) -> Batches:
        order = None
        for step in steps:
            epoch, row = divmod(step, self.steps_per_epoch)
            if order is None or row == 0:
                order = self._draw_order(key, epoch)
            yield self._select(self._sets["train"], order, row)

    def evaluation(self, split: str) -> Iterator[tuple[Batch, np.ndarray]]:
        """Yield the batches of a set in order, each with a mask of the samples that count.

        A batch has eight times the samples of a training batch; the mask is bool ``[B]``, False
        where the last batch is filled up.

        Args:
          split: The name of the set.
        """
        size, number = self._evaluation_batch_size, self._sizes[split]
        rows = np.arange(number + -number % size).reshape(-1, size)
        for row in range(len(rows)):
            batch = self._select(self._sets[split], rows % number, row)
            yield batch, rows[row] < number
