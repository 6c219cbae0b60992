"""The task of predicting one of several classes for each pixel."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.tasks._confusion import confusion
from experiments.tasks._masked_mean import masked_mean


@dataclass(frozen=True)
class Segmentation:
    """The task of a class for each pixel: cross-entropy; scored by mean IoU and pixel accuracy.

    Attributes:
      num_outputs: The number of classes.
      target: The field of labels, int32 ``[B, H, W]``; a negative label marks a pixel that loss and
        scores leave out.

    References:
      Liu et al., `End-to-end multi-task learning with attention
      <https://arxiv.org/abs/1803.10704>`_, 2019.
    """

    num_outputs: int
    target: str = "segmentation"

    def loss(self, outputs: jax.Array, targets: jax.Array) -> jax.Array:
        """Return the mean softmax cross-entropy over all labeled pixels of the batch, ``()``.

        It is 0 if no pixel has a label.

        Args:
          outputs: Logits ``[B, H, W, classes]``.
          targets: Labels, int ``[B, H, W]``; negative where a pixel has none.
        """
        labels = jnp.maximum(targets, 0)
        return masked_mean(
            targets >= 0, optax.softmax_cross_entropy_with_integer_labels(outputs, labels)
        )

    def sums(self, outputs: jax.Array, targets: jax.Array, counted: jax.Array) -> jax.Array:
        """Return the confusion matrix of the batch's labeled pixels, int32 ``[classes, classes]``.

        Args:
          outputs: Logits ``[B, H, W, classes]``; the largest is the predicted class (columns).
          targets: Labels (rows), int ``[B, H, W]``; negative where a pixel has none.
          counted: Which samples count, bool ``[B]``.
        """
        pixels = counted[:, None, None] & (targets >= 0)
        return confusion(self.num_outputs, targets, jnp.argmax(outputs, -1), pixels)

    def scores(self, sums: np.ndarray) -> dict[str, float]:
        """Return ``mean_iou`` and ``pixel_accuracy`` (0 to 1), over all pixels of the set.

        The intersection over union is averaged over the classes that are seen or predicted.

        Args:
          sums: The confusion matrix of a whole set, of labels (rows) by predictions (columns).

        Examples:
          >>> Segmentation(2).scores(np.array([[2, 0], [1, 1]]))
          {'mean_iou': 0.5833333333333333, 'pixel_accuracy': 0.75}
        """
        hits = np.diag(sums)
        union = sums.sum(0) + sums.sum(1) - hits
        present = union > 0
        return {
            "mean_iou": float(np.mean(hits[present] / union[present])),
            "pixel_accuracy": float(hits.sum() / sums.sum()),
        }
