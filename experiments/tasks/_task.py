"""The interface of a task: the loss and the scores of one head."""

from collections.abc import Mapping
from typing import Any, Protocol

import jax


class Task(Protocol):
    """The loss of one head, and its scores, computed from sums over batches."""

    @property
    def target(self) -> str:
        """Return the name of the data set's field that the head predicts."""

    @property
    def num_outputs(self) -> int:
        """Return the number of channels of the head's output, such as the number of classes."""

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Return the mean loss of a batch, ``()``.

        Args:
          outputs: Outputs of the head, with a leading axis of B samples.
          targets: The targets, with a leading axis of B samples.
        """

    def sums(self, outputs: jax.Array, targets: jax.Array, counted: jax.Array) -> Any:
        """Return the sums of a batch; their totals over a set determine the scores.

        Args:
          outputs: Outputs of the head, with a leading axis of B samples.
          targets: The targets, with a leading axis of B samples.
          counted: Which samples count, bool ``[B]``; the others only fill up a batch.
        """

    def scores(self, sums: Any) -> Mapping[str, float]:
        """Return the scores by name.

        Args:
          sums: The total of :meth:`sums` over a whole set, as NumPy arrays.
        """
