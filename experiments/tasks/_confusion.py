"""The confusion matrix of labels and predictions."""

import jax
import jax.numpy as jnp


def confusion(
    num_classes: int, labels: jax.Array, predictions: jax.Array, counted: jax.Array
) -> jax.Array:
    """How often each class is taken for each, int32 ``[num_classes, num_classes]``.

    Args:
      num_classes: The number of classes.
      labels: Integers of any shape; what is not counted may be anything.
      predictions: Likewise, of the same shape.
      counted: Bool of the same shape.

    Example:
      >>> confusion(2, jnp.array([0, 1, 1, 0]), jnp.array([0, 0, 1, 1]), jnp.arange(4) < 3)
      Array([[1, 0],
             [1, 1]], dtype=int32)
    """
    # An index beyond the matrix is dropped.
    cells = jnp.where(counted, labels * num_classes + predictions, num_classes**2)
    counts = jnp.zeros(num_classes**2, jnp.int32).at[cells.ravel()].add(1, mode="drop")
    return counts.reshape(num_classes, num_classes)
