"""The projection of a combination of gradients onto the directions that harm no objective."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax.solvers._gramian import check_square, normalized, root


def dual_cone_weights(gramian: jax.Array, preference: jax.Array) -> jax.Array:
    r"""Return the weights of the conflict-free vector nearest to :math:`G^\top u`.

    Solves, for the Gramian :math:`M = G G^\top` of gradients :math:`G`,

    .. math:: \min_{v} v^\top M v \quad \text{subject to} \quad v \ge u,

    so that :math:`G^\top v` is the projection of :math:`G^\top u` onto the dual cone
    :math:`\{d : G d \ge 0\}`.

    Two objectives have a closed form. For more, the active-set method of Lawson and Hanson runs on
    the Gramian of the normalized gradients. It visits only linearly independent supports, so it is
    exact for rank-deficient Gramians too, and nothing is added to the diagonal. A change of the
    support by one objective costs one pivot of a K x K tableau; each optimum is refined with the
    Gramian itself.

    The weight of a zero gradient is its preference. Non-finite input gives non-finite weights.

    Args:
      gramian: Symmetric positive semi-definite matrix of shape ``[K, K]``, float32 or float64.
      preference: The weights ``u``, of shape ``[K]``, or ``[R, K]`` for R vectors to project.

    Returns:
      Weights ``v`` in the shape of ``preference`` and the dtype of ``gramian``.

    Raises:
      ValueError: If ``gramian`` is not a square matrix, or the last axis of ``preference`` does not
        have its size.

    Examples:
      >>> import jax.numpy as jnp
      >>> from mmpareto_jax.solvers import dual_cone_weights
      >>> conflicting = jnp.array([[1.0, -1.0], [-1.0, 4.0]])
      >>> print(dual_cone_weights(conflicting, jnp.array([0.5, 0.0])))
      [0.5   0.125]
      >>> print(dual_cone_weights(conflicting, jnp.array([0.5, 0.5])))
      [0.5 0.5]

    References:
      Quinton & Rey, `Jacobian descent for multi-objective optimization
      <https://arxiv.org/abs/2406.16232>`_, 2024, Proposition 1;
      Lawson & Hanson, `Solving least squares problems
      <https://doi.org/10.1137/1.9781611971217>`_, 1995, Chapter 23.
    """
    check_square(gramian)
    if preference.ndim not in (1, 2) or preference.shape[-1] != gramian.shape[0]:
        raise ValueError(
            f"preference must have one weight for each of {gramian.shape[0]} objectives, "
            f"got shape {preference.shape}"
        )
    gramian = normalized(gramian)
    preference = preference.astype(gramian.dtype)
    project = _project_pair if gramian.shape[0] <= 2 else _project
    weights = project(gramian, jnp.atleast_2d(preference)).reshape(preference.shape)
    return jnp.where(jnp.all(jnp.isfinite(gramian)), weights, jnp.nan)


def _project_pair(gramian: jax.Array, preferences: jax.Array) -> jax.Array:
    """Compute :func:`dual_cone_weights` of one or two objectives in closed form.

    Args:
      gramian: The Gramian, ``[K, K]`` with K at most 2.
      preferences: R vectors of weights to project, ``[R, K]``.

    Returns:
      The weights of the projections, ``[R, K]``.
    """
    squares = jnp.diagonal(gramian)
    zero = squares == 0
    # The weight that each objective needs so that the other, at its preference, does not harm it.
    harm = -(gramian - jnp.diag(squares)) / jnp.where(zero, 1, squares)[:, None]
    needed = jnp.sum(harm[None] * jnp.clip(preferences, 0)[:, None, :], axis=-1)
    return jnp.where(zero[None, :], preferences, jnp.maximum(preferences, needed))


class _ActiveSet(NamedTuple):
    point: jax.Array  # [R, K], feasible, zero outside the support
    support: jax.Array  # [R, K] bool
    barred: jax.Array  # [R, K] bool, entered without effect since the last progress
    tableau: jax.Array  # [R, K, K], the cosines pivoted on the support
    best: jax.Array  # [R, K], the last feasible optimum
    value: jax.Array  # [R], its objective
    finished: jax.Array  # [R] bool
    pivots: jax.Array  # () int32


def _project(gramian: jax.Array, preferences: jax.Array) -> jax.Array:
    """Compute :func:`dual_cone_weights` of any K objectives by Lawson and Hanson's method.

    Args:
      gramian: The Gramian, ``[K, K]``.
      preferences: R vectors of weights to project, ``[R, K]``, solved at once.

    Returns:
      The weights of the projections, ``[R, K]``.
    """
    norms = root(jnp.diagonal(gramian))
    zero = norms == 0
    safe = jnp.where(zero, 1, norms)
    cosines = gramian / safe[:, None] / safe[None, :]
    # In units of the norms and of the longest preferred gradient, v = u + scale * point / norms.
    wanted = preferences * norms[None, :]
    scale = jnp.max(jnp.abs(wanted), axis=1, keepdims=True)
    wanted = wanted / jnp.where(scale == 0, 1, scale)
    end = jax.lax.stop_gradient(_nonnegative(*jax.lax.stop_gradient((cosines, wanted)), zero))
    found, support = end.best, end.best > 0
    # A Newton step at the solution removes rounding error and carries the derivative.
    point = _refined(found, support, end.tableau, cosines, wanted)
    before, after = (
        jnp.max(jnp.where(support, jnp.abs(_times(cosines, p + wanted)), 0), axis=1)
        for p in (found, point)
    )
    better = (after <= before) & jnp.all(point >= 0, axis=1)
    point = jnp.where(better[:, None], point, found)
    return preferences + point * scale / safe[None, :]


def _times(cosines: jax.Array, points: jax.Array) -> jax.Array:
    return jnp.matmul(points, cosines, precision=jax.lax.Precision.HIGHEST)


def _refined(
    point: jax.Array, support: jax.Array, tableau: jax.Array, cosines: jax.Array, wanted: jax.Array
) -> jax.Array:
    """Take one Newton step towards the minimizer over each support.

    Args:
      point: The points p, ``[R, K]``, zero outside the supports.
      support: The objectives with positive weight, ``[R, K]`` bool.
      tableau: The cosines pivoted on the supports, ``[R, K, K]``: on a support, their inverse.
      cosines: The cosines of the gradients, ``[K, K]``.
      wanted: The preferences in units of the norms, ``[R, K]``; ``p + wanted`` is the combination.

    Returns:
      The new points, ``[R, K]``, zero outside the supports; entries may be negative.
    """
    slopes = jnp.where(support, _times(cosines, point + wanted), 0)
    return jnp.where(support, point - _rows(tableau, slopes), 0)


def _rows(tableau: jax.Array, coefficients: jax.Array) -> jax.Array:
    """Return a linear combination of the rows of each tableau.

    A batched matrix product is faster here than a sum over rows or, for one row, than indexing.

    Args:
      tableau: One tableau of the active-set method per problem, ``[R, I, J]``.
      coefficients: The coefficients of the rows, ``[R, I]``.

    Returns:
      Array ``[R, J]``.
    """
    return jnp.einsum("rij,ri->rj", tableau, coefficients, precision=jax.lax.Precision.HIGHEST)


def _pivoted(
    tableau: jax.Array, support: jax.Array, index: jax.Array, active: jax.Array
) -> jax.Array:
    """Pivot each active tableau on one index, which is a rank-one change.

    The entries between the support and the rest are antisymmetric, the others symmetric.

    Args:
      tableau: The tableaus, ``[R, K, K]``.
      support: The objectives on which they are pivoted already, ``[R, K]`` bool.
      index: The objective that enters or leaves each support, ``[R]`` int.
      active: Whether to change each tableau, ``[R]`` bool.

    Returns:
      The new tableaus, ``[R, K, K]``.
    """
    chosen = jnp.arange(tableau.shape[-1])[None, :] == index[:, None]
    row = _rows(tableau, chosen.astype(tableau.dtype))
    pivot = jnp.take_along_axis(row, index[:, None], axis=1)
    same_side = support == jnp.take_along_axis(support, index[:, None], axis=1)
    column = jnp.where(chosen, pivot + 1, jnp.where(same_side, row, -row))
    row = jnp.where(active[:, None], jnp.where(chosen, pivot - 1, row) / pivot, 0)
    return tableau - column[:, :, None] * row[:, None, :]


def _nonnegative(cosines: jax.Array, wanted: jax.Array, zero: jax.Array) -> _ActiveSet:
    """Minimize ``(p + wanted)' cosines (p + wanted)`` over ``p >= 0`` by an active-set method.

    Args:
      cosines: The cosines of the gradients, ``[K, K]``.
      wanted: The preferences in units of the norms, ``[R, K]``: R problems, solved at once.
      zero: The objectives whose gradient is zero, ``[K]`` bool; their p stays zero.

    Returns:
      The last state, with the minimizers in ``best``, ``[R, K]``.
    """
    count = cosines.shape[0]
    eps = jnp.finfo(cosines.dtype).eps

    def iterate(state: _ActiveSet) -> _ActiveSet:
        optimum = _refined(state.point, state.support, state.tableau, cosines, wanted)
        outside = state.support & ~(optimum > 0)
        feasible = ~jnp.any(outside, axis=1)

        # Feasible: add the objective with the largest gain, or finish.
        vector = optimum + wanted
        slopes = _times(cosines, vector)
        value = jnp.sum(vector * slopes, axis=1)
        size = jnp.sum(jnp.abs(vector), axis=1)
        progress = value < state.value - 4 * eps * size**2
        barred = state.barred & ~(feasible & progress)[:, None]
        # Outside the support these are squared lengths of the parts orthogonal to the support.
        lengths = jnp.diagonal(state.tableau, axis1=1, axis2=2)
        resolved = ~(state.support | barred) & (lengths > 4 * count * eps)
        harmed = resolved & (slopes < -2 * eps * size[:, None])
        gain = jnp.where(harmed, slopes / jnp.sqrt(jnp.where(harmed, lengths, 1)), 0)
        entering = jnp.argmin(gain, axis=1)
        optimal = ~jnp.any(harmed, axis=1)

        # Otherwise: go towards the optimum up to the boundary and drop the blocking objective.
        distance = jnp.where(outside, state.point - optimum, 1)
        steps = jnp.where(outside, state.point / distance, jnp.inf)
        leaving = jnp.argmin(steps, axis=1)
        step = jnp.min(steps, axis=1, keepdims=True)
        index = jnp.where(feasible, entering, leaving)
        chosen = jnp.arange(count)[None, :] == index[:, None]
        towards = jnp.clip(state.point + step * (optimum - state.point), 0)
        left = jnp.where(chosen, 0, jnp.where(jnp.isfinite(step), towards, state.point))
        wasted = chosen & ~feasible[:, None] & (state.point == 0)

        finished = state.finished | (feasible & optimal)
        running = ~state.finished
        chosen = chosen & ~finished[:, None]
        return _ActiveSet(
            point=jnp.where(feasible[:, None], optimum, left),
            support=state.support ^ chosen,
            barred=barred | wasted,
            tableau=_pivoted(state.tableau, state.support, index, ~finished),
            best=jnp.where((running & feasible)[:, None], optimum, state.best),
            value=jnp.where(feasible, value, state.value),
            finished=finished,
            pivots=state.pivots + 1,
        )

    def unfinished(state: _ActiveSet) -> jax.Array:
        # The limit prevents cycling in rounding error; fewer than 2K pivots are typical.
        return ~jnp.all(state.finished) & (state.pivots < 8 * count)

    nothing = jnp.zeros_like(wanted)
    none = jnp.zeros(wanted.shape, bool)
    tableau = jnp.where(zero[:, None] | zero[None, :], 0, cosines)
    return jax.lax.while_loop(
        unfinished,
        iterate,
        _ActiveSet(
            point=nothing,
            support=none,
            barred=none,
            tableau=jnp.broadcast_to(tableau, (*wanted.shape, count)),
            best=nothing,
            value=jnp.full(wanted.shape[:1], jnp.inf, cosines.dtype),
            finished=jnp.zeros(wanted.shape[:1], bool),
            pivots=jnp.zeros((), jnp.int32),
        ),
    )
