"""The alpha-fair weights of the gradients, with which FairGrad and Nash-MTL combine them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax.solvers._gramian import check_square, is_stationary, normalized, root
from mmpareto_jax.solvers._min_norm import min_norm_weights


def alpha_fair_weights(gramian: jax.Array, alpha: float) -> jax.Array:
    r"""Return the weights for which each objective's gain is a fixed power of its own weight.

    Solves, for the Gramian :math:`M = G G^\top` of gradients :math:`G` and :math:`w > 0`,

    .. math:: (M w)_i = w_i^{-1 / \alpha}.

    The solution is unique: it minimizes the convex
    :math:`\tfrac12 w^\top M w - \sum_i \varphi(w_i)` with :math:`\varphi'(w) = w^{-1 / \alpha}`.
    It is found by Newton's method on the relative change of each weight, for gradients of any scale
    and without a line search: a bound on the curvature along the step damps each step so that it
    decreases the objective.

    At a Pareto stationary point (see :func:`is_stationary`, here of the normalized gradients) the
    equation has no solution and the weights are zero. A zero gradient gets weight zero, and the
    equation is solved for the others. Non-finite input gives non-finite weights.

    Args:
      gramian: Symmetric positive semi-definite matrix of shape ``[K, K]``, float32 or float64.
      alpha: The fairness, a positive number: 1 is proportional fairness (the Nash bargaining
        solution), larger values favor the objective that gains least.

    Returns:
      Weights ``w`` of shape ``[K]`` in the dtype of ``gramian``.

    Raises:
      ValueError: If ``gramian`` is not a square matrix or ``alpha`` is not positive and finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> from mmpareto_jax.solvers import alpha_fair_weights
      >>> print(alpha_fair_weights(jnp.diag(jnp.array([1.0, 4.0])), alpha=1.0))
      [1.  0.5]

    References:
      Ban & Ji, `Fair resource allocation in multi-task learning
      <https://arxiv.org/abs/2402.15638>`_, 2024, Eq. 4;
      Navon et al., `Multi-task learning as a bargaining game
      <https://arxiv.org/abs/2202.01017>`_, 2022, Claim 3.1.
    """
    check_square(gramian)
    check_alpha(alpha)
    power = 1 / as_real(alpha, gramian.dtype)
    largest = jnp.max(jnp.diagonal(gramian))
    scaled = normalized(gramian)
    norms = root(jnp.diagonal(scaled))
    zero = norms == 0
    norms = jnp.where(zero, 1, norms)
    # A zero gradient becomes a unit gradient orthogonal to the others, which does not affect them.
    cosines = jnp.where(
        jnp.diag(zero), jnp.ones((), gramian.dtype), scaled / norms[:, None] / norms[None, :]
    )
    nearest = min_norm_weights(cosines)
    unsolvable = zero | is_stationary(cosines, nearest)
    weights = _newton(cosines, norms, nearest, power)
    weights = weights * jnp.where(largest == 0, 1, largest) ** (-1 / (1 + power))
    weights = jnp.where(unsolvable, 0, weights)
    return jnp.where(jnp.all(jnp.isfinite(gramian)), weights, jnp.nan)


def check_alpha(alpha: float) -> None:
    """Raise ``ValueError`` unless alpha is positive and finite; accept a traced number."""
    check("alpha", alpha, "positive and finite", lambda alpha: 0 < alpha < float("inf"))


class _Iterate(NamedTuple):
    point: jax.Array  # [K], w_i |g_i|
    change: jax.Array  # (), the largest relative change of the last step
    steps: jax.Array  # () int32


def _newton(
    cosines: jax.Array, norms: jax.Array, nearest: jax.Array, power: jax.Array
) -> jax.Array:
    """Solve ``p (C p) = w^(1 - power)``, where ``p = w norms``, by damped Newton steps.

    The products and powers are elementwise, and ``C p`` is a matrix product.

    Args:
      cosines: The matrix C of the gradients' cosines, ``[K, K]``. If the gradients are
        Pareto stationary, there is no solution and the result means nothing.
      norms: Norms of the gradients, ``[K]``, positive.
      nearest: The min-norm weights of C, ``[K]``, near which the iteration starts.
      power: ``()``, one over the fairness alpha.

    Returns:
      The weights w, ``[K]``, positive.
    """
    eps = jnp.finfo(cosines.dtype).eps

    def step(point: jax.Array, cosines: jax.Array, norms: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Return the undamped Newton step and the fraction of it to take.

        Args:
          point: The current ``p``, ``[K]``, positive.
          cosines: The matrix C of the gradients' cosines, ``[K, K]``.
          norms: Norms of the gradients, ``[K]``.

        Returns:
          The step, ``[K]``, as relative changes of the entries of ``point``, and the fraction,
          ``()``; the next point is ``point * (1 + fraction * step)``.
        """
        barrier = (point / norms) ** (1 - power)
        scaled = cosines * point[:, None] * point[None, :]
        residual = barrier - jnp.sum(scaled, axis=1)
        # In units of the root of the barrier, the diagonal of the system is at least `power`.
        unit = 1 / jnp.sqrt(barrier)
        system = scaled * unit[:, None] * unit[None, :] + power * jnp.eye(
            len(unit), dtype=unit.dtype
        )
        change = jnp.linalg.solve(system, residual * unit) * unit
        # The curvature at p (1 - x) is at most that at p times (1 - x)^(-1 - power). This bounds
        # the objective along the step; the fraction minimizes the bound for the coordinate that
        # shrinks most.
        shrink = jnp.max(jnp.clip(-change, 0))
        safe = jnp.where(shrink == 0, 1, shrink)
        # A weight shrinks at most tenfold, since a longer step could round it to zero.
        fraction = jnp.minimum(-jnp.expm1(-jnp.log1p(power * safe) / power), 0.9) / safe
        return change, jnp.where(shrink == 0, 1, fraction)

    def to_best_scale(point: jax.Array) -> jax.Array:
        """Return the multiple of the point, ``[K]``, that minimizes the convex objective."""
        squared = jnp.sum(point * jnp.sum(cosines * point[None, :], axis=1))
        ratio = jnp.sum((point / norms) ** (1 - power)) / jnp.where(squared > 0, squared, 1)
        return jnp.where(squared > 0, point * ratio ** (1 / (1 + power)), point)

    def iterate(state: _Iterate) -> _Iterate:
        change, fraction = step(state.point, cosines, norms)
        size = jnp.max(jnp.abs(change))
        point = state.point * (1 + fraction * change)
        # Near the solution, rescaling would only add rounding error.
        point = jnp.where(size > 0.1, to_best_scale(point), point)
        return _Iterate(point, size, state.steps + 1)

    def unfinished(state: _Iterate) -> jax.Array:
        # Quadratic convergence: the next error is about the square of this change. The limit is
        # for cases where rounding keeps the change from decreasing; 10 steps are typical.
        return (state.change > jnp.sqrt(eps) / 8) & (state.steps < 64)

    given, cosines, norms = (cosines, norms), *jax.lax.stop_gradient((cosines, norms))
    # If gradients nearly oppose each other, the solution lies close to the min-norm direction; its
    # zeros must become positive.
    start = to_best_scale(jax.lax.stop_gradient(nearest) + 1e-2)
    end = jax.lax.while_loop(
        unfinished,
        iterate,
        _Iterate(start, jnp.full((), jnp.inf, start.dtype), jnp.zeros((), jnp.int32)),
    )
    found = jax.lax.stop_gradient(end.point)
    # A last step at the solution removes the remaining error and carries the derivative.
    change, fraction = step(found, *given)
    return found * (1 + jax.lax.stop_gradient(fraction) * change) / given[1]
