"""The protocol of a task."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax


class Task(Protocol):
    """The loss of one head, and its scores, computed from sums over batches."""

    @property
    def target(self) -> str:
        """The field of the data set that the head predicts."""

    @property
    def num_outputs(self) -> int:
        """The number of channels of the head's output."""

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Return the mean loss of a batch, a scalar."""

    def sums(self, outputs: jax.Array, targets: jax.Array, counted: jax.Array) -> Any:
        """Return the sums of a batch; their totals over a set determine the scores.

        Args:
          outputs: Outputs of the head, with a leading axis of B samples.
          targets: The targets, with a leading axis of B samples.
          counted: Which samples count, bool ``[B]``; the others only fill up a batch.
        """

    def scores(self, sums: Any) -> Mapping[str, float]:
        """Return the scores by name, from NumPy sums over a whole set."""
