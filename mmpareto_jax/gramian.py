"""Per-objective gradients to their Gramian, and weights back to one combined gradient."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def accumulation_dtype(leaves: Sequence[jax.Array]) -> jnp.dtype:
    """The dtype in which inner products of these leaves are summed: at least float32."""
    return jnp.result_type(jnp.float32, *leaves)


def gramian(gradient: jax.Array) -> jax.Array:
    r"""Gramian :math:`M_{ij} = \langle g_i, g_j \rangle` of one tensor's K gradients.

    Elementwise products summed in float32, in float64 for float64 gradients, whatever the gradient
    dtype: matrix products would run in reduced precision on accelerators. No axis is reshaped, so
    a sharded tensor stays where it is.

    Args:
      gradient: Gradients of shape ``[K, *shape]``, objectives first.

    Returns:
      Symmetric matrix of shape ``[K, K]``.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(gramian(jnp.array([[1.0, 2.0], [3.0, -1.0]])))
      [[ 5.  1.]
       [ 1. 10.]]
    """
    rows = list(gradient.astype(accumulation_dtype([gradient])))
    products = {(i, j): jnp.sum(rows[i] * rows[j]) for j in range(len(rows)) for i in range(j + 1)}
    return jnp.stack(
        [
            jnp.stack([products[min(i, j), max(i, j)] for j in range(len(rows))])
            for i in range(len(rows))
        ]
    )


def combine(weights: jax.Array, gradient: jax.Array) -> jax.Array:
    r"""The combination :math:`\sum_i w_i g_i` of one tensor's K gradients.

    Computed in the dtype of the Gramian and rounded once, to the dtype of the gradient.

    Args:
      weights: Weights of shape ``[K]``.
      gradient: Gradients of shape ``[K, *shape]``, objectives first.

    Returns:
      Array of shape ``[*shape]`` in the dtype of ``gradient``.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(combine(jnp.array([2.0, 1.0]), jnp.array([[1.0, 2.0], [3.0, -1.0]])))
      [5. 3.]
    """
    dtype = accumulation_dtype([gradient])
    terms = [w * g.astype(dtype) for w, g in zip(weights.astype(dtype), gradient, strict=True)]
    return sum(terms[1:], terms[0]).astype(gradient.dtype)
