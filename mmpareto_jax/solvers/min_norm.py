"""The point of smallest norm in the convex hull of the gradients."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax.solvers._gramian import normalised


def min_norm_weights(gramian: jax.Array) -> jax.Array:
    r"""Weights of the point of smallest norm in the convex hull of K gradients.

    Solves, for the Gramian :math:`M = G G^\top` of gradients :math:`G`,

    .. math:: \min_{w \in \Delta^{K-1}} w^\top M w.

    Two objectives use the closed form of the paper, each weight computed on its own so that the
    small one keeps its digits. More use Wolfe's active-set method, which ends after finitely many
    K x K solves at the exact support; its iterates are scaled by the norms of the gradients, so
    badly scaled objectives lose nothing. Where gradients conflict both aim a rounding error above
    the optimality conditions ``(M w)_j >= w^T M w``, so that the rounded weights still descend on
    every objective.

    If objectives have zero gradient the weight is shared among these. Non-finite input gives
    non-finite weights.

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
    if gramian.ndim != 2 or gramian.shape[0] != gramian.shape[1]:
        raise ValueError(f"a Gramian is a square matrix, got shape {gramian.shape}")
    match gramian.shape[0]:
        case 1:
            return jnp.where(jnp.isfinite(gramian[0]), 1, jnp.nan).astype(gramian.dtype)
        case 2:
            return _nearest_on_segment(gramian)
        case _:
            return _nearest_on_simplex(gramian)


def nearest_of_nonzero(gramian: jax.Array) -> jax.Array:
    r"""Weights of the min-norm point of those gradients that are not zero.

    A zero gradient has no direction in which its objective could be worsened. Here it takes no
    part, whereas for :func:`min_norm_weights` it is the min-norm point itself.

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
    gramian = normalised(gramian)
    zero = jnp.diagonal(gramian) == 0
    # As a unit gradient orthogonal to the others it leaves the ratios of their weights alone.
    weights = min_norm_weights(jnp.where(jnp.diag(zero), 1, gramian))
    weights = jnp.where(zero, 0, weights)
    total = jnp.sum(weights)
    return weights / jnp.where(total == 0, 1, total)


def _nearest_on_segment(gramian: jax.Array) -> jax.Array:
    """Closed form for two objectives; see :func:`min_norm_weights`."""
    # Away from the ends of the range by a power of two, which rounds nothing: the differences of
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


class _ActiveSet(NamedTuple):
    point: jax.Array  # [K], feasible, zero outside the support
    support: jax.Array  # [K] bool
    barred: jax.Array  # [K] bool, entered without effect since the last progress
    best: jax.Array  # [K], the best optimum over a support so far
    value: jax.Array  # (), its squared norm
    finished: jax.Array  # () bool
    solves: jax.Array  # () int32


def _nearest_on_simplex(gramian: jax.Array) -> jax.Array:
    """Wolfe's method for three or more objectives; see :func:`min_norm_weights`."""
    eps = jnp.finfo(gramian.dtype).eps
    gramian = normalised(gramian)
    zero = jnp.diagonal(gramian) == 0
    norms = jnp.sqrt(jnp.where(zero, 1, jnp.diagonal(gramian)))
    # In units of the norms the variable is point_i = w_i |g_i|, up to a factor, with p . point = 1.
    # One eps off every cosine leaves each (M w)_j that rounding error above its bound.
    margin = jnp.where(jnp.any(gramian < 0), eps, 0)
    cosines = gramian / norms[:, None] / norms[None, :] - margin
    inverse_norms = jnp.min(norms) / norms
    support = _optimal_support(*jax.lax.stop_gradient((cosines, inverse_norms)), zero)
    weights = _optimum_over(support, cosines, inverse_norms) * inverse_norms
    weights = jnp.where(jnp.any(zero), zero.astype(cosines.dtype), weights)
    return jnp.where(jnp.all(jnp.isfinite(gramian)), weights / jnp.sum(weights), jnp.nan)


def _optimum_over(support: jax.Array, cosines: jax.Array, inverse_norms: jax.Array) -> jax.Array:
    """Minimiser over the affine hull of the support: one bordered linear system."""
    num_objectives = cosines.shape[0]
    both = support[:, None] & support[None, :]
    normalisation = jnp.where(support, inverse_norms, 0)
    system = jnp.block(
        [
            [
                jnp.where(both, cosines, jnp.eye(num_objectives, dtype=cosines.dtype)),
                normalisation[:, None],
            ],
            [normalisation[None, :], jnp.zeros((1, 1), cosines.dtype)],
        ]
    )
    target = jnp.zeros(num_objectives + 1, cosines.dtype).at[-1].set(1)
    return jnp.where(support, jnp.linalg.solve(system, target)[:-1], 0)


def _optimal_support(cosines: jax.Array, inverse_norms: jax.Array, zero: jax.Array) -> jax.Array:
    """The objectives with positive weight, by Wolfe's method; no derivative passes through it."""
    num_objectives = cosines.shape[0]
    eps = jnp.finfo(cosines.dtype).eps
    shortest = jnp.arange(num_objectives) == jnp.argmax(inverse_norms)

    def enter(state: _ActiveSet, optimum: jax.Array) -> _ActiveSet:
        """The optimum over the support is feasible: done, or let the worst objective in."""
        slopes = jnp.sum(cosines * optimum[None, :], axis=1)
        value = jnp.sum(optimum * slopes)
        progress = value < state.value * (1 - 4 * eps)
        no_worse = value <= state.value * (1 + 4 * eps)
        barred = state.barred & ~progress
        slack = jnp.where(state.support | barred, jnp.inf, slopes - value * inverse_norms)
        optimal = ~(jnp.min(slack) < -2 * eps * jnp.sum(optimum))
        return _ActiveSet(
            point=optimum,
            support=state.support.at[jnp.argmin(slack)].set(True),
            barred=barred,
            best=jnp.where(no_worse, optimum, state.best),
            value=jnp.where(progress, value, state.value),
            finished=optimal | ~no_worse | (value <= 0),
            solves=state.solves + 1,
        )

    def leave(state: _ActiveSet, optimum: jax.Array) -> _ActiveSet:
        """The optimum lies outside the simplex: go towards it up to the boundary."""
        outside = state.support & (optimum <= 0)
        steps = jnp.where(outside, state.point / (state.point - optimum), jnp.inf)
        step = jnp.min(steps)
        blocking = steps <= step
        support = state.support & ~blocking
        return state._replace(
            point=jnp.where(support, state.point + step * (optimum - state.point), 0),
            support=support,
            barred=state.barred | (blocking & (state.point == 0)),
            finished=~jnp.isfinite(step),
            solves=state.solves + 1,
        )

    def iterate(state: _ActiveSet) -> _ActiveSet:
        optimum = _optimum_over(state.support, cosines, inverse_norms)
        feasible = ~jnp.any(state.support & ~(optimum > 0))
        return jax.tree.map(
            lambda entered, left: jnp.where(feasible, entered, left),
            enter(state, optimum),
            leave(state, optimum),
        )

    def unfinished(state: _ActiveSet) -> jax.Array:
        # The count is a guard against cycling in rounding error; 2K solves are typical at worst.
        return ~state.finished & (state.solves < 8 * num_objectives)

    start = shortest.astype(cosines.dtype)
    end = jax.lax.while_loop(
        unfinished,
        iterate,
        _ActiveSet(
            point=start,
            support=shortest,
            barred=zero,
            best=start,
            value=jnp.full((), jnp.inf, cosines.dtype),
            finished=jnp.asarray(False),
            solves=jnp.zeros((), jnp.int32),
        ),
    )
    return end.best > 0
