"""Projection onto the probability simplex."""

import jax
import jax.numpy as jnp
import optax


def project_on_simplex(point: jax.Array) -> jax.Array:
    r"""The nearest point of the simplex :math:`\Delta^{K-1}`, ``optax``'s at any magnitude.

    Args:
      point: Array of shape ``[K]``.

    Returns:
      Weights of shape ``[K]``, at least zero, of sum one, in the dtype of ``point``.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(project_on_simplex(jnp.array([0.5, 1.0, -1.0])))
      [0.25 0.75 0.  ]
    """
    # The projection of a shifted point is the same; unshifted, the one is lost beside large values.
    projected = optax.projections.projection_simplex(point - jnp.max(point))
    return projected.astype(point.dtype)  # optax gives float64 where that is enabled
