"""How batches reach the devices: from a set that lies there, or from one read while it trains."""

from typing import Any

from jax.sharding import Mesh

from experiments.data import Samples, Splits
from experiments.errors import UserError
from experiments.feeds._feed import Batch, Batches, Feed
from experiments.feeds.on_device import OnDevice

__all__ = ["Batch", "Batches", "Feed", "build"]


def build(splits: Splits, batch_size: int, mesh: Mesh, workers: int) -> Feed:
    """The feed of a data set.

    Args:
      splits: "train" and "test", as :func:`experiments.data.load` returns them.
      batch_size: Samples per step.
      mesh: Over whose axis "data" a batch is spread.
      workers: Processes that read and transform samples; 0 does it in threads of this one. A set
        in memory needs none.

    Raises:
      UserError: If the batch does not fit the data or the devices.
    """
    train = splits["train"]
    num_samples = len(train) if isinstance(train, Samples) else len(next(iter(train.values())))
    if batch_size > num_samples:
        raise UserError(f"batch_size {batch_size} exceeds the {num_samples} training samples")
    if batch_size % mesh.shape["data"]:
        raise UserError(
            f"batch_size {batch_size} must be a multiple of the {mesh.shape['data']} devices that "
            "share a batch"
        )
    test: Any = splits["test"]
    if isinstance(train, Samples):
        from experiments.feeds.streamed import Streamed  # needs grain

        return Streamed(train, test, batch_size, mesh, workers)
    return OnDevice(train, test, batch_size, mesh)
