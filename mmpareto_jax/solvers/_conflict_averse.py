"""The weights of CAGrad: the best worst-case direction in a ball around the mean gradient."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check_nonnegative
from mmpareto_jax.solvers._active_set import Optimum, optimal_support
from mmpareto_jax.solvers._dual_cone import dual_cone_weights
from mmpareto_jax.solvers._gramian import (
    check_square,
    is_stationary,
    normalized,
    quadratic_form,
    root,
)
from mmpareto_jax.solvers._min_norm import nearest_of_nonzero


def conflict_averse_weights(gramian: jax.Array, c: float) -> jax.Array:
    r"""Return the weights of the direction near the mean that helps the worst objective most.

    With :math:`g_0` the mean gradient and :math:`g_w = \sum_i w_i g_i`, the direction solves

    .. math:: \max_{|d - g_0| \le c |g_0|} \min_i g_i^\top d
      \quad\text{by}\quad \min_{w \in \Delta^{K-1}} g_w^\top g_0 + c |g_0| |g_w|,
      \qquad d = g_0 + \frac{c |g_0|}{|g_w|} g_w,

    and the weights of d are :math:`1 / K + c |g_0| w_i / |g_w|`.

    On a given support the minimum has a closed form, from one bordered linear system with two
    right-hand sides. An active-set method like Wolfe's finds the support, in units of the norms of
    the gradients.

    If the minimum is at :math:`g_w = 0` (a Pareto stationary point with a wide enough ball, which
    is always so for ``c >= 1``), no direction in the ball helps every objective and the weights are
    zero. A zero gradient can be neither helped nor harmed: it counts in the mean, and the worst
    objective is one of the others; the result solves the problem with all gradients too. For
    ``c = 0``, or a zero mean gradient, the weights are 1 / K. Non-finite input gives non-finite
    weights.

    Args:
      gramian: Symmetric positive semi-definite matrix of shape ``[K, K]``, float32 or float64.
      c: The radius of the ball over the norm of the mean gradient, at least 0. For ``c >= 1`` the
        direction conflicts with no objective.

    Returns:
      Weights of shape ``[K]`` in the dtype of ``gramian``.

    Raises:
      ValueError: If ``gramian`` is not a square matrix or ``c`` is negative or not finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> from mmpareto_jax.solvers import conflict_averse_weights
      >>> print(conflict_averse_weights(jnp.diag(jnp.array([4.0, 4.0])), c=0.5))
      [0.75 0.75]

    References:
      Liu et al., `Conflict-averse gradient descent for multi-task learning
      <https://arxiv.org/abs/2110.14048>`_, 2021, Algorithm 1.
    """
    check_square(gramian)
    check_radius(c)
    count = gramian.shape[0]
    scaled = normalized(gramian)
    mean = jnp.full(count, 1 / count, scaled.dtype)
    ratio = as_real(c, scaled.dtype)
    radius = ratio * root(quadratic_form(scaled, mean))
    norms = root(jnp.diagonal(scaled))
    zero = norms == 0
    safe = jnp.where(zero, 1, norms)
    correction = dual_cone_weights(scaled, mean) - mean
    needed = root(quadratic_form(scaled, correction))
    # Whether the ball contains a direction without conflict. For c >= 1 it contains zero, even if
    # the lengths are rounded. Otherwise the optimal value is negative, and so is that of the
    # correction, so a descent that starts there never reaches g_w = 0.
    reachable = (needed <= radius) | (ratio >= 1)
    shortest = jnp.arange(count) == jnp.argmin(jnp.where(zero, jnp.inf, norms))
    start = jnp.where(reachable, shortest.astype(scaled.dtype), jnp.where(zero, 0, correction))
    problem = _Problem(
        # A zero gradient becomes a unit gradient orthogonal to the others, and is excluded.
        cosines=jnp.where(jnp.diag(zero), 1, scaled / safe[:, None] / safe[None, :]),
        target=jnp.sum(scaled * mean[None, :], axis=1) / safe,
        unit=jnp.min(safe) / safe,
        radius=radius,
    )
    support = _support(*jax.lax.stop_gradient((problem, start * safe)), zero)
    optimum, _ = _optimum_over(support, problem)
    weights = optimum / safe
    length = root(quadratic_form(scaled, weights))
    found = mean + radius / jnp.where(length == 0, 1, length) * weights
    # Near c = 1 the best direction may be nearly zero, and rounding then determines its weights.
    # Fall back on the point of the ball towards the nearest direction without conflict if better.
    on_the_way = mean + jnp.minimum(radius / jnp.where(needed == 0, 1, needed), 1) * correction
    lowest, _ = _worst(scaled, on_the_way, norms)
    _, highest = _worst(scaled, found, norms)
    found = jnp.where(lowest > highest, on_the_way, found)
    at_zero = reachable & is_stationary(scaled, nearest_of_nonzero(scaled))
    weights = jnp.where(radius == 0, mean, jnp.where(at_zero, 0, found))
    return jnp.where(jnp.all(jnp.isfinite(gramian)), weights, jnp.nan)


def _worst(gramian: jax.Array, weights: jax.Array, norms: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Bound the smallest inner product of a combination of gradients with a nonzero gradient.

    Args:
      gramian: The gradients' Gramian, ``[K, K]``.
      weights: Weights of the combination, ``[K]``.
      norms: Norms of the gradients, ``[K]``; gradients of norm zero do not count.

    Returns:
      A lower and an upper bound, ``()`` each: the smallest inner product minus and plus its
      rounding error.
    """
    products = jnp.sum(gramian * weights[None, :], axis=1)
    rounding = 8 * jnp.finfo(gramian.dtype).eps * norms * jnp.sum(jnp.abs(weights) * norms)
    lowest, highest = (
        jnp.min(jnp.where(norms == 0, jnp.inf, products + bound)) for bound in (-rounding, rounding)
    )
    return lowest, highest


def check_radius(c: float) -> None:
    """Raise ``ValueError`` unless the radius c is finite and at least 0; accept a traced one."""
    check_nonnegative("c", c)


class _Problem(NamedTuple):
    """The dual problem of CAGrad, in units of the gradients' norms.

    It is to minimize ``target . p + radius sqrt(p' cosines p)`` over ``p >= 0`` with
    ``unit . p = 1``. The unknown p, ``[K]``, is each weight times the norm of its gradient, up to a
    common factor.

    Attributes:
      cosines: ``[K, K]``, the cosines of the gradients.
      target: ``[K]``, the inner products of the normalized gradients with the mean gradient.
      unit: ``[K]``, the smallest norm of a gradient divided by each norm.
      radius: ``()``, the radius of the ball, c times the norm of the mean gradient.
    """

    cosines: jax.Array
    target: jax.Array
    unit: jax.Array
    radius: jax.Array


def _optimum_over(support: jax.Array, problem: _Problem) -> tuple[jax.Array, jax.Array]:
    """Minimize over the affine hull of a support: p may be negative there, and is zero elsewhere.

    With ``p0`` the min-norm point of the hull and ``p1`` the response to the target, the minimizer
    is ``p0 + ratio p1``, where ``ratio^2 (radius^2 - |p1|^2) = |p0|^2``. If the bracket is not
    positive, there is no minimizer: the ratio is infinite and the descent direction ``p1`` is
    returned.

    Args:
      support: The objectives whose weights may be nonzero, ``[K]`` bool.
      problem: The function to minimize.

    Returns:
      The minimizer p, ``[K]``, and ``ratio``, ``()``: the norm ``sqrt(p' cosines p)`` over the
      radius.
    """
    cosines, target, unit, radius = problem
    count = len(target)
    both = support[:, None] & support[None, :]
    border = jnp.where(support, unit, 0)
    identity = jnp.eye(count, dtype=cosines.dtype)
    # Equal gradients would make the system singular; with a rounding error added to the diagonal,
    # they share the weight.
    ridge = 2 * jnp.finfo(cosines.dtype).eps * identity
    system = jnp.block(
        [
            [jnp.where(both, cosines + ridge, identity), border[:, None]],
            [border[None, :], jnp.zeros((1, 1), cosines.dtype)],
        ]
    )
    sides = jnp.zeros((count + 1, 2), cosines.dtype)
    sides = sides.at[-1, 0].set(1).at[:-1, 1].set(jnp.where(support, -target, 0))
    solution = jnp.linalg.solve(system, sides)[:-1]
    nearest, response = (jnp.where(support, solution[:, i], 0) for i in (0, 1))
    room = radius**2 - quadratic_form(cosines, response)
    bounded = room > 0
    square = quadratic_form(cosines, nearest) / jnp.where(bounded, room, 1)
    ratio = jnp.where(bounded, root(square), jnp.inf)
    return jnp.where(bounded, nearest + root(square) * response, response), ratio


def _support(problem: _Problem, start: jax.Array, zero: jax.Array) -> jax.Array:
    """Return the objectives with positive weight in the minimizer, ``[K]`` bool.

    Args:
      problem: The function to minimize.
      start: The p from which the search starts, ``[K]``, at least zero, up to a factor.
      zero: The objectives whose gradient is zero, ``[K]`` bool, which get no weight.
    """
    cosines, target, unit, radius = problem
    eps = jnp.finfo(cosines.dtype).eps

    def optimum_over(support: jax.Array) -> Optimum:
        point, ratio = _optimum_over(support, problem)
        bounded = jnp.isfinite(ratio)
        finite = jnp.where(bounded, ratio, 0)
        length = root(quadratic_form(cosines, point))
        # Multiplied by the ratio, so that the conditions also hold at length zero.
        slopes = finite * target + jnp.sum(cosines * point[None, :], axis=1)
        return Optimum(
            point=point,
            bounded=bounded,
            value=jnp.sum(target * point) + radius * length,
            size=jnp.sum(jnp.abs(target * point)) + radius * length,
            slack=slopes - jnp.sum(point * slopes) * unit,
            rounding=2 * eps * (jnp.sum(point) + finite * jnp.max(jnp.abs(target))),
        )

    total = jnp.sum(unit * start)
    return optimal_support(optimum_over, start / jnp.where(total == 0, 1, total), excluded=zero)
