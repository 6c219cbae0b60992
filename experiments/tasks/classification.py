"""The task of predicting one of several classes for each sample."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.tasks._confusion import confusion


@dataclass(frozen=True)
class Classification:
    """The task of a class for each sample: cross-entropy; scored by accuracy and macro F1.

    Attributes:
      num_outputs: The number of classes.
      target: The field of labels, int32 ``[B]``, 0 to ``num_outputs - 1``.
    """

    num_outputs: int
    target: str = "label"

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Return the mean softmax cross-entropy over the batch, ``()``.

        Args:
          outputs: Logits ``[B, num_outputs]``.
          targets: Labels, int ``[B]``.
        """
        return jnp.mean(optax.softmax_cross_entropy_with_integer_labels(outputs, targets))

    def sums(self, outputs: jax.Array, targets: jax.Array, counted: jax.Array) -> jax.Array:
        """Return the confusion matrix of a batch, int32 ``[classes, classes]``.

        Args:
          outputs: Logits ``[B, num_outputs]``; the largest is the predicted class (columns).
          targets: Labels (rows), int ``[B]``.
          counted: Which samples count, bool ``[B]``.
        """
        return confusion(self.num_outputs, targets, jnp.argmax(outputs, -1), counted)

    def scores(self, sums: np.ndarray) -> dict[str, float]:
        """Return ``accuracy`` and ``macro_f1`` (0 to 1), the mean F1 of classes seen or predicted.

        Args:
          sums: The confusion matrix of a whole set, of labels (rows) by predictions (columns).

        Examples:
          >>> Classification(3).scores(np.array([[2, 0, 0], [1, 1, 0], [0, 0, 0]]))
          {'accuracy': 0.75, 'macro_f1': 0.7333333333333334}
        """
        hits, labels, predictions = np.diag(sums), sums.sum(1), sums.sum(0)
        present = labels + predictions > 0
        f1 = 2 * hits[present] / (labels + predictions)[present]
        return {"accuracy": float(hits.sum() / sums.sum()), "macro_f1": float(np.mean(f1))}
