"""Feeds bring batches to the devices, from a set in their memory or one read during training."""

from collections.abc import Mapping
from typing import cast

from jax.sharding import Mesh

from experiments.data import Fields, Samples, Splits
from experiments.data.storage.holding_out import count
from experiments.engine.feeds._feed import Batch, Batches, Feed
from experiments.engine.feeds.on_device import OnDevice
from experiments.errors import UserError

__all__ = ["Batch", "Batches", "Feed", "OnDevice", "build"]


def build(splits: Splits, batch_size: int, mesh: Mesh, workers: int) -> Feed:
    """Return the feed of a data set.

    Args:
      splits: The sets by name, with "train" among them, as :func:`experiments.data.load` returns
        them.
      batch_size: The number of samples per step.
      mesh: The mesh; a batch is split over its axis "data".
      workers: The number of processes that read and transform samples. With 0, threads of this
        process do so. A set in memory needs none.

    Raises:
      UserError: If the batch size does not fit the data or the devices.
    """
    num_samples = count(splits["train"])
    if batch_size > num_samples:
        raise UserError(f"batch_size {batch_size} exceeds the {num_samples} training samples")
    if batch_size % mesh.shape["data"]:
        raise UserError(
            f"batch_size {batch_size} must be a multiple of the {mesh.shape['data']} devices that "
            "share a batch"
        )
    if isinstance(splits["train"], Samples):
        from experiments.engine.feeds.streamed import Streamed  # needs grain

        return Streamed(cast(Mapping[str, Samples], splits), batch_size, mesh, workers)
    return OnDevice(cast(Mapping[str, Fields], splits), batch_size, mesh)
