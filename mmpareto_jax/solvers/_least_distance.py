"""The shortest vector whose inner products with the gradients are large enough."""

import jax
import jax.numpy as jnp

from mmpareto_jax.solvers._dual_cone import dual_cone_weights
from mmpareto_jax.solvers._gramian import check_square, root


def least_distance_weights(gramian: jax.Array, bounds: jax.Array) -> tuple[jax.Array, jax.Array]:
    r"""Return the weights of the shortest vector with inner products of at least some bounds.

    Solves, for the Gramian :math:`M = G G^\top` of gradients :math:`G`,

    .. math:: \min_{x} |x| \quad \text{subject to} \quad G x \ge h,

    whose solution is :math:`G^\top \mu` with :math:`\mu \ge 0`. Lawson and Hanson reduce this to a
    nonnegative least-squares problem in one more dimension: with rows :math:`(g_i, h_i)`, the point
    of their cone nearest to :math:`(0, 1)`. That point is the projection which
    :func:`~mmpareto_jax.solvers.dual_cone_weights` computes, so the result is exact for
    rank-deficient Gramians too. A linear system over the rows that are met with equality then gives
    :math:`\mu` to working precision. The bounds contradict each other if the nearest point is
    :math:`(0, 1)` itself.

    A zero gradient has weight 0. Non-finite input gives non-finite weights.

    Args:
      gramian: Symmetric positive semi-definite matrix of shape ``[K, K]``, float32 or float64.
      bounds: The bounds h, ``[K]``.

    Returns:
      The weights :math:`\mu`, ``[K]`` in the dtype of ``gramian``, and whether some vector meets
      the bounds, a bool of shape ``()``. If none does, to working precision, the weights are zero.

    Raises:
      ValueError: If ``gramian`` is not a square matrix.

    Examples:
      >>> import jax.numpy as jnp
      >>> from mmpareto_jax.solvers import least_distance_weights
      >>> weights, feasible = least_distance_weights(jnp.eye(2), jnp.array([2.0, -1.0]))
      >>> print(weights, feasible)
      [2. 0.] True
      >>> opposed = jnp.array([[1.0, -1.0], [-1.0, 1.0]])
      >>> print(least_distance_weights(opposed, jnp.array([1.0, 1.0]))[1])
      False

    References:
      Lawson & Hanson, `Solving least squares problems
      <https://doi.org/10.1137/1.9781611971217>`_, 1995, Chapter 23, problem LDP.
    """
    check_square(gramian)
    count, eps = gramian.shape[0], jnp.finfo(gramian.dtype).eps
    norms = root(jnp.diagonal(gramian))
    zero = norms == 0
    safe = jnp.where(zero, 1, norms)
    cosines = gramian / safe[:, None] / safe[None, :]
    wanted = jnp.where(zero, 0, bounds.astype(gramian.dtype) / safe)
    scale = jnp.max(jnp.abs(wanted), initial=0)
    scale = jnp.where(scale > 0, scale, 1)
    wanted = wanted / scale
    # The Gramian of (0, -1) and of the rows (g_i, h_i).
    extended = jnp.block(
        [
            [jnp.ones((1, 1), gramian.dtype), -wanted[None, :]],
            [-wanted[:, None], cosines + wanted[:, None] * wanted[None, :]],
        ]
    )
    target = jnp.zeros(count + 1, gramian.dtype).at[0].set(1)
    cone = dual_cone_weights(extended, target)[1:]
    # The squared distance of (0, 1) from the cone.
    distance = 1 - jnp.sum(cone * wanted)
    feasible = (distance > 8 * (count + 1) * eps) & ~jnp.any(zero & (bounds > 0))
    met = feasible & (cone > 0)
    system = jnp.where(met[:, None] & met[None, :], cosines, jnp.eye(count, dtype=gramian.dtype))
    exact = jnp.linalg.solve(system, jnp.where(met, wanted, 0))
    near = jnp.where(met, cone, 0) / jnp.where(feasible, distance, 1)
    weights = jnp.where(jnp.all(exact >= 0), exact, near) * scale / safe
    finite = jnp.all(jnp.isfinite(gramian)) & jnp.all(jnp.isfinite(bounds))
    return jnp.where(finite, weights, jnp.nan), feasible
