"""A data set that lies on the devices."""

import functools
from collections.abc import Iterator

import jax
import numpy as np
from jax.sharding import Mesh

from experiments import devices
from experiments.data.fields import Fields
from experiments.feeds._feed import Batch, Batches

TEST_BATCH = 8
"""Training batches in a batch of the test set."""


class OnDevice:
    """Batches gathered on the devices from whole sets that are spread over them.

    Args:
      train: The training set, an array per field.
      test: The test set.
      batch_size: Samples per step.
      mesh: Of axes "data" and "model", see :func:`experiments.devices.make_mesh`.
    """

    def __init__(self, train: Fields, test: Fields, batch_size: int, mesh: Mesh) -> None:
        num_samples = _length(train)
        self.steps_per_epoch = num_samples // batch_size
        self.shapes = {name: field.shape[1:] for name, field in train.items()}
        self._train = devices.place_samples(mesh, dict(train))
        self._test = devices.place_samples(mesh, dict(test))
        self._num_test = _length(test)
        self._test_batch_size = TEST_BATCH * batch_size
        over_samples, replicated = devices.over_samples(mesh), devices.replicated(mesh)

        @functools.partial(jax.jit, out_shardings=replicated)
        def draw_order(key: jax.Array, epoch: int) -> jax.Array:
            order = jax.random.permutation(jax.random.fold_in(key, epoch), num_samples)
            return order[: self.steps_per_epoch * batch_size].reshape(-1, batch_size)

        @functools.partial(jax.jit, out_shardings=over_samples)
        def select(fields: Batch, order: jax.Array | np.ndarray, row: int) -> Batch:
            return {name: field[order[row]] for name, field in fields.items()}

        self._draw_order = draw_order
        self._select = select

    def training(self, key: jax.Array, steps: range) -> Batches:
        """As in :class:`Feed`."""
        key_on_host, order = np.asarray(key), None  # a step consumes the state that has the key
        for step in steps:
            epoch, row = divmod(step, self.steps_per_epoch)
            if order is None or row == 0:
                order = self._draw_order(key_on_host, epoch)
            yield self._select(self._train, order, row)

    def test(self) -> Iterator[tuple[Batch, np.ndarray]]:
        """As in :class:`Feed`."""
        size = self._test_batch_size
        rows = np.arange(self._num_test + -self._num_test % size).reshape(-1, size)
        for row in range(len(rows)):
            batch = self._select(self._test, rows % self._num_test, row)
            yield batch, rows[row] < self._num_test


def _length(fields: Fields) -> int:
    return len(next(iter(fields.values())))
