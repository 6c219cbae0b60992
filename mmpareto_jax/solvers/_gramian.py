"""Functions of a Gramian ``[K, K]``, the inner products of K gradients, that solvers share."""

import jax
import jax.numpy as jnp


def check_square(gramian: jax.Array) -> None:
    """Raise ``ValueError`` unless the Gramian is a square matrix; its values are not checked."""
    if gramian.ndim != 2 or gramian.shape[0] != gramian.shape[1]:
        raise ValueError(f"a Gramian is a square matrix, got shape {gramian.shape}")


def is_stationary(gramian: jax.Array, alpha: jax.Array) -> jax.Array:
    r"""Return whether the min-norm point is zero to working precision (Pareto stationarity).

    True where :math:`\alpha^\top M \alpha \le 32\,\epsilon\,(\sum_i \alpha_i |g_i|)^2` with
    :math:`\epsilon` the machine precision of the Gramian: below this bound, the left side is
    rounding error. In float32, two gradients within 0.2 degrees of opposite count as stationary.

    Args:
      gramian: Gramian of shape ``[K, K]``.
      alpha: The output of :func:`min_norm_weights`, shape ``[K]``.

    Returns:
      Boolean scalar; False where the Gramian is not finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> from mmpareto_jax.solvers import min_norm_weights
      >>> opposite = jnp.array([[1.0, -2.0], [-2.0, 4.0]])
      >>> bool(is_stationary(opposite, min_norm_weights(opposite)))
      True

    References:
      Désidéri, `Multiple-gradient descent algorithm
      <https://doi.org/10.1016/j.crma.2012.03.014>`_, 2012.
    """
    tolerance = 32 * jnp.finfo(gramian.dtype).eps
    norms = root(jnp.diagonal(gramian))
    small = quadratic_form(gramian, alpha) <= tolerance * jnp.sum(alpha * norms) ** 2
    return small & jnp.all(jnp.isfinite(gramian))


def root(square: jax.Array) -> jax.Array:
    """Return the square roots of an array of any shape, with derivative zero at zero."""
    zero = square == 0
    return jnp.where(zero, 0, jnp.sqrt(jnp.where(zero, 1, square)))


def quadratic_form(gramian: jax.Array, weights: jax.Array) -> jax.Array:
    r"""Return the squared norm :math:`w^\top M w` of a combination of gradients, at least zero.

    It is computed elementwise, since by default matrix products run in reduced precision on
    accelerators.

    Args:
      gramian: Gramian of shape ``[K, K]``.
      weights: Weights of shape ``[K]``.

    Returns:
      Scalar in the dtype of ``gramian``.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(quadratic_form(jnp.eye(2), jnp.array([3.0, 4.0])))
      25.0
    """
    # Rows first: at a minimum, each row has the small value of the result, so that nothing cancels
    # in the second sum.
    value = jnp.sum(weights * jnp.sum(gramian * weights[None, :], axis=1))
    return jnp.where(value < 0, 0, value)


def normalized(gramian: jax.Array) -> jax.Array:
    """Divide a Gramian by its largest diagonal entry, so that products of entries stay in range.

    A Gramian with a zero diagonal, of gradients that are all zero, stays as it is.
    """
    largest = jnp.max(jnp.diagonal(gramian))
    # Divide twice by the root, since the reciprocal of a very large entry would underflow.
    inverse = 1 / jnp.sqrt(jnp.where(largest == 0, 1, largest))
    return gramian * inverse * inverse
