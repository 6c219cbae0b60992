"""Nash-MTL."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from mmpareto_jax.solvers import alpha_fair_weights, quadratic_form, root
from mmpareto_jax.weightings._weighting import Weighting


class NashMTLState(NamedTuple):
    """State of :func:`nash_mtl`: the number of steps taken, and the weights between updates."""

    step: jax.Array  # () int32
    weights: jax.Array  # [K], before the norm is clipped


def nash_mtl(max_norm: float = 1.0, update_every: int = 1) -> Weighting:
    r"""The Nash bargaining solution between the objectives.

    The weights solve :math:`\hat M w = 1 / w` (elementwise) for the Gramian over its Frobenius
    norm, :math:`\hat M = M / |M|_F`; then they are scaled down where the norm of the update
    :math:`\sqrt{w^\top M w}` exceeds ``max_norm``, as in the released code.

    The released code approaches the same equation by at most twenty successive linearisations of a
    non-convex problem, each from the last step's weights, and stops early, at a residual of about
    1e-3. Here the equation itself is solved, by a convex problem, to working precision: the weights
    do not depend on those of earlier steps.

    They are zero at a Pareto stationary point, where the equation has no solution, and for a zero
    gradient.

    Args:
      max_norm: The largest norm of the update; ``float("inf")`` for none. 1, the released code's,
        by default.
      update_every: The weights are computed anew every that many steps and kept in between; the
        norm is clipped in each. 1, the released code's, by default.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state has the step count and the weights.

    Raises:
      ValueError: If ``max_norm`` is not positive or ``update_every`` is less than 1.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.nash_mtl()
      >>> gramian = jnp.diag(jnp.array([1.0, 4.0]))
      >>> print(weighting.update(gramian, weighting.init(2))[0].round(4))
      [0.7071 0.3536]

    References:
      Navon et al., `Multi-task learning as a bargaining game
      <https://arxiv.org/abs/2202.01017>`_, 2022, Claim 3.1 and Algorithm 1; released code:
      https://github.com/AvivNavon/nash-mtl.
    """
    if not max_norm > 0:
        raise ValueError(f"max_norm must be positive, got {max_norm}")
    if update_every < 1:
        raise ValueError(f"update_every must be at least 1, got {update_every}")

    def init(num_objectives: int) -> NashMTLState:
        return NashMTLState(step=jnp.zeros((), jnp.int32), weights=jnp.zeros(num_objectives))

    def solve(gramian: jax.Array) -> jax.Array:
        # The Frobenius norm by way of the largest entry: squares of small ones would underflow.
        largest = jnp.max(jnp.abs(gramian))
        safe = jnp.where(largest == 0, 1, largest)
        norm = safe * root(jnp.sum((gramian / safe) ** 2))
        return alpha_fair_weights(gramian, alpha=1.0) * root(norm)

    def update(
        gramian: jax.Array, state: NashMTLState, **extra: Any
    ) -> tuple[jax.Array, NashMTLState]:
        del extra
        weights = state.weights.astype(gramian.dtype)
        if update_every == 1:
            weights = solve(gramian)
        else:
            due = state.step % update_every == 0
            weights = jax.lax.cond(due, solve, lambda _: weights, gramian)
        norm = root(quadratic_form(gramian, weights))
        clipped = weights * jnp.where(norm > max_norm, max_norm / norm, 1)
        kept = weights.astype(state.weights.dtype)
        return clipped, NashMTLState(step=optax.safe_increment(state.step), weights=kept)

    return Weighting(init, update)
