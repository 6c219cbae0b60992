"""The point of smallest norm in the convex hull of the gradients."""

import jax
import jax.numpy as jnp

from mmpareto_jax.solvers._active_set import Optimum, optimal_support
from mmpareto_jax.solvers._gramian import check_square, normalized


def min_norm_weights(gramian: jax.Array) -> jax.Array:
    r"""Return the weights of the point of smallest norm in the convex hull of K gradients.

    Solves, for the Gramian :math:`M = G G^\top` of gradients :math:`G`,

    .. math:: \min_{w \in \Delta^{K-1}} w^\top M w.

    Two objectives use the closed form of the paper; each weight is computed separately, so that
    the smaller one keeps its digits. More objectives use Wolfe's active-set method, which ends
    after finitely many K x K solves at the exact support. Its iterates are scaled by the norms of
    the gradients, so badly scaled objectives lose no digits. If gradients conflict, both methods
    aim a rounding error above the optimality conditions ``(M w)_j >= w^T M w``, so that the rounded
    weights still descend on every objective.

    If some gradients are zero, these share the weight. Non-finite input gives non-finite weights.

    Args:
      gramian: Symmetric positive semi-definite matrix of shape ``[K, K]``, float32 or float64.

    Returns:
      Weights ``w`` of shape ``[K]`` on the probability simplex, in the dtype of ``gramian``.

    Raises:
      ValueError: If ``gramian`` is not a square matrix.

    Examples:
      >>> import jax.numpy as jnp
      >>> from mmpareto_jax import min_norm_weights
      >>> print(min_norm_weights(jnp.array([[1.0, 0.0], [0.0, 3.0]])))
      [0.75 0.25]

    References:
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, Eq. 5;
      Wolfe, `Finding the nearest point in a polytope
      <https://doi.org/10.1007/BF01580381>`_, 1976.
    """
    check_square(gramian)
    match gramian.shape[0]:
        case 1:
            return jnp.where(jnp.isfinite(gramian[0]), 1, jnp.nan).astype(gramian.dtype)
        case 2:
            return _nearest_on_segment(gramian)
        case _:
            return _nearest_on_simplex(gramian)


def nearest_of_nonzero(gramian: jax.Array) -> jax.Array:
    r"""Return the weights of the min-norm point of the nonzero gradients.

    No direction worsens the objective of a zero gradient. Such a gradient is left out here, whereas
    for :func:`min_norm_weights` it is the min-norm point itself.

    Args:
      gramian: Gramian of shape ``[K, K]``.

    Returns:
      Weights of shape ``[K]``, zero for zero gradients, of sum one (zero where all are zero).

    Examples:
      >>> import jax.numpy as jnp
      >>> from mmpareto_jax.solvers import nearest_of_nonzero
      >>> print(nearest_of_nonzero(jnp.diag(jnp.array([1.0, 1.0, 0.0]))))
      [0.5 0.5 0. ]
    """
    gramian = normalized(gramian)
    zero = jnp.diagonal(gramian) == 0
    # A unit gradient orthogonal to the others does not change the ratios of their weights.
    weights = min_norm_weights(jnp.where(jnp.diag(zero), 1, gramian))
    weights = jnp.where(zero, 0, weights)
    total = jnp.sum(weights)
    return weights / jnp.where(total == 0, 1, total)


def _nearest_on_segment(gramian: jax.Array) -> jax.Array:
    """Return :func:`min_norm_weights` of two objectives, ``[2]``, by the closed form."""
    # Scale away from the ends of the range by a power of two, which does not round. Differences of
    # nearby entries are exact, so nearly parallel gradients lose no digits here.
    gramian = gramian * jnp.where(jnp.max(gramian) > 1, 0.25, 4.0)
    inner = gramian[0, 1]
    shrink = jnp.where(inner < 0, 1 - 2 * jnp.finfo(gramian.dtype).eps, 1)
    first, second = gramian[0, 0] * shrink, gramian[1, 1] * shrink
    shares = jnp.clip(jnp.stack([second - inner, first - inner]), 0)
    total = jnp.sum(shares)
    identical = total == 0
    weights = jnp.where(identical, 0.5, shares / jnp.where(identical, 1, total))
    return jnp.where(jnp.all(jnp.isfinite(gramian)), weights, jnp.nan)


def _nearest_on_simplex(gramian: jax.Array) -> jax.Array:
    """Return :func:`min_norm_weights` of K objectives, ``[K]``, by Wolfe's active-set method."""
    eps = jnp.finfo(gramian.dtype).eps
    gramian = normalized(gramian)
    zero = jnp.diagonal(gramian) == 0
    norms = jnp.sqrt(jnp.where(zero, 1, jnp.diagonal(gramian)))
    # In units of the norms the variable is point_i = w_i |g_i|, up to a factor, and satisfies
    # inverse_norms . point = 1. Subtracting one eps from every cosine leaves each (M w)_j that
    # rounding error above its bound.
    margin = jnp.where(jnp.any(gramian < 0), eps, 0)
    cosines = gramian / norms[:, None] / norms[None, :] - margin
    inverse_norms = jnp.min(norms) / norms
    support = _support(*jax.lax.stop_gradient((cosines, inverse_norms)), zero)
    weights = _optimum_over(support, cosines, inverse_norms) * inverse_norms
    weights = jnp.where(jnp.any(zero), zero.astype(cosines.dtype), weights)
    return jnp.where(jnp.all(jnp.isfinite(gramian)), weights / jnp.sum(weights), jnp.nan)


def _optimum_over(support: jax.Array, cosines: jax.Array, inverse_norms: jax.Array) -> jax.Array:
    """Minimize the norm of combinations over the affine hull of a support.

    With p each weight times the norm of its gradient, up to a common factor, this minimizes
    ``p' cosines p`` over p with ``inverse_norms . p = 1`` that are zero outside the support and may
    be negative, by one bordered linear system.

    Args:
      support: The objectives whose weights may be nonzero, ``[K]`` bool.
      cosines: The cosines of the gradients, ``[K, K]``.
      inverse_norms: The smallest norm of a gradient divided by each norm, ``[K]``.

    Returns:
      The minimizer p, ``[K]``, zero outside the support.
    """
    num_objectives = cosines.shape[0]
    both = support[:, None] & support[None, :]
    normalization = jnp.where(support, inverse_norms, 0)
    system = jnp.block(
        [
            [
                jnp.where(both, cosines, jnp.eye(num_objectives, dtype=cosines.dtype)),
                normalization[:, None],
            ],
            [normalization[None, :], jnp.zeros((1, 1), cosines.dtype)],
        ]
    )
    target = jnp.zeros(num_objectives + 1, cosines.dtype).at[-1].set(1)
    return jnp.where(support, jnp.linalg.solve(system, target)[:-1], 0)


def _support(cosines: jax.Array, inverse_norms: jax.Array, zero: jax.Array) -> jax.Array:
    """Return the objectives with positive weight in the min-norm point, ``[K]`` bool.

    Args:
      cosines: The cosines of the gradients, ``[K, K]``.
      inverse_norms: The smallest norm of a gradient divided by each norm, ``[K]``.
      zero: The objectives whose gradient is zero, ``[K]`` bool, which are left out.
    """
    eps = jnp.finfo(cosines.dtype).eps
    shortest = jnp.arange(len(zero)) == jnp.argmax(inverse_norms)

    def optimum_over(support: jax.Array) -> Optimum:
        point = _optimum_over(support, cosines, inverse_norms)
        slopes = jnp.sum(cosines * point[None, :], axis=1)
        value = jnp.sum(point * slopes)
        return Optimum(
            point=point,
            bounded=jnp.asarray(True),
            value=value,
            size=value,
            # A point at zero is optimal.
            slack=jnp.where(value > 0, slopes - value * inverse_norms, jnp.inf),
            rounding=2 * eps * jnp.sum(point),
        )

    return optimal_support(optimum_over, shortest.astype(cosines.dtype), excluded=zero)
