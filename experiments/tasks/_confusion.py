"""The confusion matrix of labels and predictions."""

import jax
import jax.numpy as jnp


def confusion(
    num_classes: int, labels: jax.Array, predictions: jax.Array, counted: jax.Array
) -> jax.Array:
    """Count the predictions of each class (columns) for each label (rows), int32.

    Args:
      num_classes: The number of classes.
      labels: Integers of any shape; those that are not counted may have any value.
      predictions: Integers of the same shape.
      counted: Which entries count, bool of the same shape.

    Returns:
      The matrix ``[num_classes, num_classes]``.

    Examples:
      >>> confusion(2, jnp.array([0, 1, 1, 0]), jnp.array([0, 0, 1, 1]), jnp.arange(4) < 3)
      Array([[1, 0],
             [1, 1]], dtype=int32)
    """
    # An index outside the matrix is dropped.
    cells = jnp.where(counted, labels * num_classes + predictions, num_classes**2)
    counts = jnp.zeros(num_classes**2, jnp.int32).at[cells.ravel()].add(1, mode="drop")
    return counts.reshape(num_classes, num_classes)
