"""What a task is."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax


class Task(Protocol):
    """The loss of one head, and its scores from sums that add up over batches."""

    @property
    def target(self) -> str:
        """The field of the data set that the head is to predict."""

    @property
    def num_outputs(self) -> int:
        """The channels that the head puts out."""

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Return the mean loss of a batch, a scalar."""

    def sums(self, outputs: jax.Array, targets: jax.Array, counted: jax.Array) -> Any:
        """Return the sums of a batch that the scores are made of, added up over a set.

        Args:
          outputs: Of the head, with a leading axis of B samples.
          targets: Likewise.
          counted: Which samples count, bool ``[B]``; the others fill up a batch.
        """

    def scores(self, sums: Any) -> Mapping[str, float]:
        """Return the scores by name, from NumPy sums over a whole set."""
