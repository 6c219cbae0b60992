"""Random directions of the size of the parameters."""

from typing import Any

import jax
import jax.numpy as jnp


def direction(params: Any, key: jax.Array) -> Any:
    """Return a random direction in which each filter has the norm of the parameters' filter.

    A filter is a slice along the last axis, which is the output axis of dense and convolution
    kernels. Parameters of one axis or none (biases, scales of a normalization) stay where they are:
    their direction is zero.

    Args:
      params: A tree of arrays.
      key: The random key of the direction.

    Returns:
      The direction, a tree with the shapes of ``params``.

    Example:
      >>> params = {"kernel": jnp.array([[3.0, 0.0], [4.0, 1.0]]), "bias": jnp.ones(2)}
      >>> made = direction(params, jax.random.key(0))
      >>> jnp.linalg.norm(made["kernel"], axis=0).round(3).tolist(), made["bias"].tolist()
      ([5.0, 1.0], [0.0, 0.0])

    References:
      Li et al., `Visualizing the loss landscape of neural nets
      <https://arxiv.org/abs/1712.09913>`_, 2018, section 4.
    """
    leaves, structure = jax.tree.flatten(params)
    keys = jax.random.split(key, len(leaves))
    return jax.tree.unflatten(structure, map(_of_array, leaves, keys))


def _of_array(array: jax.Array, key: jax.Array) -> jax.Array:
    if array.ndim < 2:
        return jnp.zeros_like(array)
    random = jax.random.normal(key, array.shape, array.dtype)
    return random * (_norms(array) / _norms(random))


def _norms(array: jax.Array) -> jax.Array:
    """Return the norm of each filter, a slice along the last axis, as ``[1, ..., 1, filters]``."""
    return jnp.sqrt(jnp.sum(array**2, axis=tuple(range(array.ndim - 1)), keepdims=True))
