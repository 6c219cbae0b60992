"""The mean over a part of an array."""

import jax
import jax.numpy as jnp


def masked_mean(mask: jax.Array, values: jax.Array) -> jax.Array:
    """Return the mean of the values in a mask, or 0 if the mask is empty.

    Examples:
      >>> masked_mean(jnp.array([True, False]), jnp.array([2.0, 7.0]))
      Array(2., dtype=float32)
    """
    count = jnp.sum(mask, dtype=values.dtype)
    return jnp.sum(jnp.where(mask, values, 0)) / jnp.maximum(count, 1)
