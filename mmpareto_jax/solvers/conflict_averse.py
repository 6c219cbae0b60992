"""The conflict-averse combination of the gradients."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax.hyper_parameters import as_real, check
from mmpareto_jax.solvers._gramian import is_stationary, normalised, quadratic_form, root
from mmpareto_jax.solvers.dual_cone import dual_cone_weights
from mmpareto_jax.solvers.min_norm import nearest_of_nonzero


def conflict_averse_weights(gramian: jax.Array, c: float) -> jax.Array:
    r"""Weights of the direction near the mean gradient that helps the worst objective most.

    With :math:`g_0` the mean gradient and :math:`g_w = \sum_i w_i g_i`, it finds

    .. math:: \max_{|d - g_0| \le c |g_0|} \min_i g_i^\top d
      \quad\text{by}\quad \min_{w \in \Delta^{K-1}} g_w^\top g_0 + c |g_0| |g_w|,
      \qquad d = g_0 + \frac{c |g_0|}{|g_w|} g_w,

    and returns the weights of d, :math:`1 / K + c |g_0| w_i / |g_w|`.

    On a given support the minimum has a closed form, from one bordered linear system with two
    right-hand sides; an active-set method like Wolfe's finds the support, in units of the norms of
    the gradients.

    Where the minimum is at :math:`g_w = 0` (a Pareto stationary point, with a ball wide enough, as
    it always is from ``c = 1`` on) no direction of the ball helps every objective and the weights
    are zero. A zero gradient can be neither helped nor harmed: it counts in the mean, and the worst
    is taken over the others, which is a solution with it too. For ``c = 0``, or a zero mean
    gradient, the weights are 1 / K. Non-finite input gives non-finite weights.

    Args:
      gramian: Symmetric positive semi-definite matrix of shape ``[K, K]``, float32 or float64.
      c: The radius of the ball over the norm of the mean gradient, at least 0. From 1 on the
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
    if gramian.ndim != 2 or gramian.shape[0] != gramian.shape[1]:
        raise ValueError(f"a Gramian is a square matrix, got shape {gramian.shape}")
    check_radius(c)
    count = gramian.shape[0]
    scaled = normalised(gramian)
    mean = jnp.full(count, 1 / count, scaled.dtype)
    ratio = as_real(c, scaled.dtype)
    radius = ratio * root(quadratic_form(scaled, mean))
    norms = root(jnp.diagonal(scaled))
    zero = norms == 0
    safe = jnp.where(zero, 1, norms)
    correction = dual_cone_weights(scaled, mean) - mean
    needed = root(quadratic_form(scaled, correction))
    # The ball holds a direction without conflict: from c = 1 on the zero vector, whatever rounding
    # makes of the lengths. Otherwise the best value is negative, and that of the correction too:
    # from there on the descent cannot meet g_w = 0.
    reachable = (needed <= radius) | (ratio >= 1)
    shortest = jnp.arange(count) == jnp.argmin(jnp.where(zero, jnp.inf, norms))
    start = jnp.where(reachable, shortest.astype(scaled.dtype), jnp.where(zero, 0, correction))
    problem = _Problem(
        # A zero gradient becomes a unit gradient orthogonal to the others, and never enters.
        cosines=jnp.where(jnp.diag(zero), 1, scaled / safe[:, None] / safe[None, :]),
        target=jnp.sum(scaled * mean[None, :], axis=1) / safe,
        unit=jnp.min(safe) / safe,
        radius=radius,
    )
    support = _optimal_support(*jax.lax.stop_gradient((problem, start * safe)), zero)
    optimum, _ = _optimum_over(support, problem)
    weights = optimum / safe
    length = root(quadratic_form(scaled, weights))
    found = mean + radius / jnp.where(length == 0, 1, length) * weights
    # Near c = 1 a direction near zero may be best, whose weights rounding decides: no worse than
    # the point of the ball on the way to the nearest direction without conflict.
    on_the_way = mean + jnp.minimum(radius / jnp.where(needed == 0, 1, needed), 1) * correction
    lowest, _ = _worst(scaled, on_the_way, norms)
    _, highest = _worst(scaled, found, norms)
    found = jnp.where(lowest > highest, on_the_way, found)
    at_zero = reachable & is_stationary(scaled, nearest_of_nonzero(scaled))
    weights = jnp.where(radius == 0, mean, jnp.where(at_zero, 0, found))
    return jnp.where(jnp.all(jnp.isfinite(gramian)), weights, jnp.nan)


def _worst(gramian: jax.Array, weights: jax.Array, norms: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Bounds, by rounding, of the smallest product of a combination and a gradient not zero."""
    products = jnp.sum(gramian * weights[None, :], axis=1)
    rounding = 8 * jnp.finfo(gramian.dtype).eps * norms * jnp.sum(jnp.abs(weights) * norms)
    lowest, highest = (
        jnp.min(jnp.where(norms == 0, jnp.inf, products + bound)) for bound in (-rounding, rounding)
    )
    return lowest, highest


def check_radius(c: float) -> None:
    """Raises ``ValueError`` for a number that is no radius."""
    check("c", c, "finite and at least 0", lambda c: 0 <= c < float("inf"))


class _Problem(NamedTuple):
    """Minimise ``target . p + radius sqrt(p' cosines p)`` with ``p >= 0`` and ``unit . p = 1``."""

    cosines: jax.Array  # [K, K]
    target: jax.Array  # [K], the products of the normalised gradients with the mean
    unit: jax.Array  # [K], the smallest norm over each
    radius: jax.Array  # ()


class _ActiveSet(NamedTuple):
    point: jax.Array  # [K], feasible, zero outside the support
    support: jax.Array  # [K] bool
    barred: jax.Array  # [K] bool, entered without effect since the last progress
    best: jax.Array  # [K], the best optimum over a support so far
    value: jax.Array  # (), its objective
    finished: jax.Array  # () bool
    solves: jax.Array  # () int32


def _optimum_over(support: jax.Array, problem: _Problem) -> tuple[jax.Array, jax.Array]:
    """Minimiser over the affine hull of the support, and ratio of its norm to the radius.

    With ``p0`` the min-norm point of the hull and ``p1`` the response to the target the minimiser
    is ``p0 + ratio p1``, where ``ratio^2 (radius^2 - |p1|^2) = |p0|^2``. Where the bracket is not
    positive there is none; the ratio is infinite and ``p1``, a direction of descent, is returned.
    """
    cosines, target, unit, radius = problem
    count = len(target)
    both = support[:, None] & support[None, :]
    border = jnp.where(support, unit, 0)
    identity = jnp.eye(count, dtype=cosines.dtype)
    # A rounding error more on the diagonal: equal gradients share, where the system was singular.
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


def _optimal_support(problem: _Problem, start: jax.Array, zero: jax.Array) -> jax.Array:
    """The objectives with positive weight; no derivative passes through it."""
    cosines, target, unit, radius = problem
    count = len(start)
    eps = jnp.finfo(cosines.dtype).eps

    def enter(state: _ActiveSet, optimum: jax.Array, ratio: jax.Array) -> _ActiveSet:
        """The optimum over the support is feasible: done, or let the worst objective in."""
        finite = jnp.where(jnp.isfinite(ratio), ratio, 0)
        products = jnp.sum(cosines * optimum[None, :], axis=1)
        length = root(quadratic_form(cosines, optimum))
        value = jnp.sum(target * optimum) + radius * length
        size = jnp.sum(jnp.abs(target * optimum)) + radius * length
        progress = value < state.value - 4 * eps * size
        no_worse = value <= state.value + 4 * eps * size
        barred = state.barred & ~progress
        # Times the ratio, so that it holds at length zero too.
        slopes = finite * target + products
        slack = slopes - jnp.sum(optimum * slopes) * unit
        slack = jnp.where(state.support | barred | zero, jnp.inf, slack)
        rounding = 2 * eps * (jnp.sum(optimum) + finite * jnp.max(jnp.abs(target)))
        optimal = ~(jnp.min(slack) < -rounding)
        return _ActiveSet(
            point=optimum,
            support=state.support.at[jnp.argmin(slack)].set(True),
            barred=barred,
            best=jnp.where(no_worse, optimum, state.best),
            value=jnp.where(progress, value, state.value),
            finished=optimal | ~no_worse,
            solves=state.solves + 1,
        )

    def leave(state: _ActiveSet, optimum: jax.Array, ratio: jax.Array) -> _ActiveSet:
        """The optimum lies outside the simplex, or nowhere: go towards it up to the boundary."""
        direction = jnp.where(jnp.isfinite(ratio), optimum - state.point, optimum)
        ends = jnp.where(jnp.isfinite(ratio), optimum <= 0, optimum < 0)
        outside = state.support & ends
        steps = jnp.where(outside, -state.point / jnp.where(outside, direction, 1), jnp.inf)
        step = jnp.min(steps)
        blocking = steps <= step
        support = state.support & ~blocking
        moved = jnp.where(support, jnp.clip(state.point + step * direction, 0), 0)
        stuck = ~jnp.isfinite(step)
        return state._replace(
            point=jnp.where(stuck, state.point, moved),
            support=support,
            barred=state.barred | (blocking & (state.point == 0)),
            finished=stuck,
            solves=state.solves + 1,
        )

    def iterate(state: _ActiveSet) -> _ActiveSet:
        optimum, ratio = _optimum_over(state.support, problem)
        feasible = jnp.isfinite(ratio) & ~jnp.any(state.support & ~(optimum > 0))
        return jax.tree.map(
            lambda entered, left: jnp.where(feasible, entered, left),
            enter(state, optimum, ratio),
            leave(state, optimum, ratio),
        )

    def unfinished(state: _ActiveSet) -> jax.Array:
        # The count is a guard against cycling in rounding error.
        return ~state.finished & (state.solves < 8 * count)

    total = jnp.sum(unit * start)
    start = start / jnp.where(total == 0, 1, total)
    end = jax.lax.while_loop(
        unfinished,
        iterate,
        _ActiveSet(
            point=start,
            support=start > 0,
            barred=jnp.zeros_like(zero),
            best=start,
            value=jnp.full((), jnp.inf, cosines.dtype),
            finished=jnp.asarray(False),
            solves=jnp.zeros((), jnp.int32),
        ),
    )
    return end.best > 0
