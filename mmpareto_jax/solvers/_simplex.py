"""Projection onto the probability simplex: weights that are at least zero and sum to one."""

import jax
import jax.numpy as jnp


def project_on_simplex(point: jax.Array) -> jax.Array:
    r"""Return the point of the simplex :math:`\Delta^{K-1}` nearest to a point of any magnitude.

    It is :math:`\max(x - \theta, 0)` with the threshold :math:`\theta` that makes the sum one: the
    largest of the :math:`(\sum_{i \le k} x_{(i)} - 1) / k` over the k largest entries.

    Args:
      point: Array of shape ``[K]``.

    Returns:
      Weights of shape ``[K]``, at least zero, of sum one, in the dtype of ``point``.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(project_on_simplex(jnp.array([0.5, 1.0, -1.0])))
      [0.25 0.75 0.  ]
    """
    # A shift does not change the projection; without it, large entries would absorb the 1 below.
    shifted = point - jnp.max(point)
    counts = jnp.arange(1, point.shape[0] + 1, dtype=point.dtype)
    thresholds = (jnp.cumsum(jnp.sort(shifted, descending=True)) - 1) / counts
    return jnp.clip(shifted - jnp.max(thresholds), 0)
