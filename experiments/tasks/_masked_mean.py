"""The mean of the values that a mask selects."""

import jax
import jax.numpy as jnp


def masked_mean(mask: jax.Array, values: jax.Array) -> jax.Array:
    """Return the mean ``()`` of the values where the mask is true, or 0 where it is true nowhere.

    Args:
      mask: Bool, of the shape of ``values``.
      values: The values, of any shape; those that are masked out may be anything, also NaN.

    Examples:
      >>> masked_mean(jnp.array([True, False]), jnp.array([2.0, 7.0]))
      Array(2., dtype=float32)
    """
    count = jnp.sum(mask, dtype=values.dtype)
    return jnp.sum(jnp.where(mask, values, 0)) / jnp.maximum(count, 1)
