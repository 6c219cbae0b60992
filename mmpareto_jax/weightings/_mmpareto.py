"""MMPareto."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax.solvers import is_stationary, nearest_of_nonzero, quadratic_form, root
from mmpareto_jax.weightings._weighting import Weighting, next_step


class MMParetoState(NamedTuple):
    """State of :func:`mmpareto`: the number of steps taken, for a scheduled gamma."""

    step: jax.Array  # () int32


def mmpareto(gamma: optax.ScalarOrSchedule = 1.5) -> Weighting:
    r"""Take a direction that all objectives share, at an enhanced magnitude (MMPareto).

    .. math::
      w = \gamma \lambda K \alpha, \qquad
      \lambda = \frac{|\sum_i g_i|}{|\sum_i K \alpha_i g_i|} \ge 1,

    with :math:`\alpha` the min-norm weights where two objectives conflict (:math:`M_{ij} < 0`) and
    :math:`\alpha_i = 1 / K` elsewhere, so that the update has :math:`\gamma` times the norm of the
    uniform baseline's. Where the objectives conflict and the min-norm point is zero (to working
    precision, see :func:`~mmpareto_jax.solvers.is_stationary`) the weights are zero.

    A zero gradient has no direction that could be opposed. It takes no part: :math:`\alpha` and K
    are those of the other objectives, and its own weight is :math:`\gamma \lambda`. This is not
    the limit of a gradient that vanishes. There is none: however small a gradient is, its direction
    is protected, so the update depends on the direction from which it comes to zero.

    Two objectives are the paper's case. For more, "conflict" as any negative inner product and
    the factor K are our reading: at K = 2 they are the paper.

    Args:
      gamma: The magnitude over that of the uniform baseline: a positive number, or an optax
        schedule of the step count. 1.5, the paper's, by default.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state counts the steps.

    Raises:
      ValueError: If ``gamma`` is a number that is not positive and finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.mmpareto(gamma=1.5)
      >>> agreeing, conflicting = jnp.eye(2), jnp.array([[1.0, -1.0], [-1.0, 2.0]])
      >>> print(weighting.update(agreeing, weighting.init(2))[0])
      [1.5 1.5]
      >>> print(weighting.update(conflicting, weighting.init(2))[0].round(3))
      [2.012 1.342]

    References:
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, Algorithm 1 and Eq. 16.
    """
    check_gamma(gamma)

    def init(num_objectives: int) -> MMParetoState:
        del num_objectives
        return MMParetoState(step=jnp.zeros((), jnp.int32))

    def update(
        gramian: jax.Array, state: MMParetoState, **extra: Any
    ) -> tuple[jax.Array, MMParetoState]:
        del extra
        alpha = nearest_of_nonzero(gramian)
        conflict = jnp.any(gramian < 0)
        direction = jnp.where(conflict, summing_to_count(gramian, alpha), 1)
        uniform_norm = root(quadratic_form(gramian, jnp.ones_like(alpha)))
        norm = root(quadratic_form(gramian, direction))
        stationary = conflict & is_stationary(gramian, alpha)
        enhancement = jnp.where(conflict, uniform_norm / jnp.where(stationary, 1, norm), 1)
        gamma_now = as_real(gamma(state.step) if callable(gamma) else gamma, gramian.dtype)
        weights = jnp.where(stationary, 0, gamma_now * enhancement * direction)
        # A gradient that is not finite must show in the update, also where nothing conflicts.
        weights = jnp.where(jnp.all(jnp.isfinite(gramian)), weights, jnp.nan)
        return weights, MMParetoState(step=next_step(state.step))

    return Weighting(init, update)


def summing_to_count(gramian: jax.Array, alpha: jax.Array) -> jax.Array:
    """Return the weights of nonzero gradients times their number, and one for zero gradients."""
    zero = jnp.diagonal(gramian) == 0
    return jnp.where(zero, 1, jnp.sum(~zero, dtype=alpha.dtype) * alpha)


def check_gamma(gamma: optax.ScalarOrSchedule) -> None:
    """Raise ``ValueError`` unless the magnitude is positive and finite, or a schedule."""
    if not callable(gamma):
        check("gamma", gamma, "positive and finite", lambda gamma: 0 < gamma < float("inf"))
