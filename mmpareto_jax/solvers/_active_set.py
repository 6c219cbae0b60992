"""An active-set method that finds the support of a minimizer over a simplex of weights.

The support of weights is the set of objectives with positive weight, as a mask ``[K]`` bool.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp


class Optimum(NamedTuple):
    """The minimizer over the affine hull of a support, with its optimality conditions.

    The support is a set of objectives. Weights of its affine hull are zero outside it and satisfy
    the simplex's equation (such as: they sum to one), and may be negative.

    Attributes:
      point: ``[K]``, zero outside the support; if ``bounded`` is False, a direction along which the
        function decreases without bound.
      bounded: ``()`` bool, whether there is a minimizer.
      value: ``()``, the function at ``point``.
      size: ``()``, the sum of the absolute values of the function's terms, to which the rounding
        error of ``value`` is relative.
      slack: ``[K]``, negative for an objective whose weight should grow from zero.
      rounding: ``()``, the rounding error of ``slack``.
    """

    point: jax.Array
    bounded: jax.Array
    value: jax.Array
    size: jax.Array
    slack: jax.Array
    rounding: jax.Array


class _State(NamedTuple):
    point: jax.Array  # [K], feasible, zero outside the support
    support: jax.Array  # [K] bool
    barred: jax.Array  # [K] bool, entered without effect since the last progress
    best: jax.Array  # [K], the best optimum over a support so far
    value: jax.Array  # (), its objective
    finished: jax.Array  # () bool
    solves: jax.Array  # () int32


def optimal_support(
    optimum_over: Callable[[jax.Array], Optimum],
    start: jax.Array,
    excluded: jax.Array,
) -> jax.Array:
    """Return the support of the minimizer of a convex function over a simplex of weights.

    Wolfe's method repeats these steps: add the objective that most violates the optimality
    conditions to the support, minimize over the affine hull of the support, and, if the minimizer
    lies outside the simplex, go towards it only as far as the boundary. It ends after finitely many
    solves. Derivatives do not pass through it.

    Args:
      optimum_over: Function from a support ``[K]`` bool to the minimizer over its affine hull.
      start: The weights to start from, ``[K]``, a point of the simplex.
      excluded: Objectives that must not enter the support, ``[K]`` bool.

    Returns:
      The objectives with positive weight, ``[K]`` bool.

    References:
      Wolfe, `Finding the nearest point in a polytope
      <https://doi.org/10.1007/BF01580381>`_, 1976.
    """
    eps = jnp.finfo(start.dtype).eps

    def enter(state: _State, optimum: Optimum) -> _State:
        """Move to an optimum inside the simplex, and finish or add an objective to the support.

        The one that most violates the optimality conditions is added. If there is none, or the
        optimum is worse than the best so far, the search is finished.
        """
        margin = 4 * eps * optimum.size
        progress = optimum.value < state.value - margin
        no_worse = optimum.value <= state.value + margin
        barred = state.barred & ~progress
        slack = jnp.where(state.support | barred | excluded, jnp.inf, optimum.slack)
        optimal = ~(jnp.min(slack) < -optimum.rounding)
        return _State(
            point=optimum.point,
            support=state.support.at[jnp.argmin(slack)].set(True),
            barred=barred,
            best=jnp.where(no_worse, optimum.point, state.best),
            value=jnp.where(progress, optimum.value, state.value),
            finished=optimal | ~no_worse,
            solves=state.solves + 1,
        )

    def leave(state: _State, optimum: Optimum) -> _State:
        """Go towards an optimum outside the simplex up to the boundary, and shrink the support.

        If the optimum is unbounded, go along its direction. The objectives whose weights become
        zero at the boundary leave the support. Without a boundary, the search is finished.
        """
        bounded = optimum.bounded
        direction = jnp.where(bounded, optimum.point - state.point, optimum.point)
        outside = state.support & jnp.where(bounded, optimum.point <= 0, optimum.point < 0)
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

    def iterate(state: _State) -> _State:
        optimum = optimum_over(state.support)
        feasible = optimum.bounded & ~jnp.any(state.support & ~(optimum.point > 0))
        return jax.tree.map(
            lambda entered, left: jnp.where(feasible, entered, left),
            enter(state, optimum),
            leave(state, optimum),
        )

    def unfinished(state: _State) -> jax.Array:
        # The limit prevents cycling in rounding error; up to 2K solves are typical.
        return ~state.finished & (state.solves < 8 * len(start))

    end = jax.lax.while_loop(
        unfinished,
        iterate,
        _State(
            point=start,
            support=start > 0,
            barred=jnp.zeros_like(excluded),
            best=start,
            value=jnp.full((), jnp.inf, start.dtype),
            finished=jnp.asarray(False),
            solves=jnp.zeros((), jnp.int32),
        ),
    )
    return end.best > 0
