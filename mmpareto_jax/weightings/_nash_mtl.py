"""Nash-MTL: the weights of the Nash bargaining solution between the objectives."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check, check_count
from mmpareto_jax.solvers import alpha_fair_weights, normalized, quadratic_form, root
from mmpareto_jax.weightings._weighting import Weighting, next_step


class NashMTLState(NamedTuple):
    """State of :func:`nash_mtl`: the number of steps taken, and the weights between updates.

    Attributes:
      step: ``()`` int32, 0 at the start.
      weights: ``[K]``, the last solution, before the norm of the update is clipped; zero at the
        start.
    """

    step: jax.Array
    weights: jax.Array


def nash_mtl(max_norm: float = 1.0, update_every: int = 1) -> Weighting:
    r"""Use the Nash bargaining solution between the objectives (Nash-MTL).

    The weights solve :math:`M w = 1 / w` (elementwise), with the Gramian M. Since :math:`w^\top M w
    = K`, the norm of the update is :math:`\sqrt K` for gradients of any scale. If this exceeds
    ``max_norm``, the weights are scaled down, as in the released code. With the default of 1, the
    norm of the update is always 1, so that the learning rate alone sets the length of the step.

    The unit of a loss does not matter either: if a gradient becomes longer by a factor, its weight
    becomes smaller by the same factor.

    The released code approximates the solution by at most twenty successive linearizations of a
    non-convex problem, which start from the weights of the last step, and stops early. Here a
    convex problem with the same solution is solved to working precision, so the weights do not
    depend on earlier steps. (The released code also multiplies the losses of the heads by the
    weights; in this library parameters in no encoder get the gradient of the sum.)

    All weights are zero at a Pareto stationary point, where the equation has no solution; the
    weight of a zero gradient is zero.

    Args:
      max_norm: The largest norm of the update, or ``float("inf")`` for no limit. 1 by default, as
        in the released code.
      update_every: Number of steps after which new weights are computed; the norm is clipped in
        every step. 1 by default, as in the released code.

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
    check("max_norm", max_norm, "positive", lambda max_norm: max_norm > 0)
    check_count("update_every", update_every, 1)

    def init(num_objectives: int) -> NashMTLState:
        return NashMTLState(step=jnp.zeros((), jnp.int32), weights=jnp.zeros(num_objectives))

    def solve(gramian: jax.Array) -> jax.Array:
        return alpha_fair_weights(gramian, alpha=1.0)

    def update_norm(gramian: jax.Array, weights: jax.Array) -> jax.Array:
        # In units of the longest gradient and the largest weight: the weights of an earlier step
        # and gradients of another scale could have products outside the range of the dtype.
        unit = root(jnp.max(jnp.diagonal(gramian)))
        largest = jnp.max(weights)
        shares = weights / jnp.where(largest == 0, 1, largest)
        return root(quadratic_form(normalized(gramian), shares)) * largest * unit

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
        norm = update_norm(gramian, weights)
        longest = as_real(max_norm, gramian.dtype)
        clipped = weights * jnp.where(norm > longest, longest / norm, 1)
        kept = weights.astype(state.weights.dtype)
        return clipped, NashMTLState(step=next_step(state.step), weights=kept)

    return Weighting(init, update)
