"""MMPareto: the min-norm direction where gradients conflict, at gamma times the sum's norm."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax.solvers import is_stationary, nearest_of_nonzero, quadratic_form, root
from mmpareto_jax.weightings._weighting import Weighting, next_step


class MMParetoState(NamedTuple):
    """State of :func:`mmpareto`: the number of steps taken, for a scheduled gamma.

    Attributes:
      step: ``()`` int32, 0 at the start.
    """

    step: jax.Array


def mmpareto(gamma: optax.ScalarOrSchedule = 1.5) -> Weighting:
    r"""Use a direction that helps all objectives, at an enhanced magnitude (MMPareto).

    .. math::
      w = \gamma \lambda K \alpha, \qquad
      \lambda = \frac{|\sum_i g_i|}{|\sum_i K \alpha_i g_i|} \ge 1,

    with the min-norm weights :math:`\alpha`, of sum one, if two objectives conflict (:math:`M_{ij}
    < 0` in the Gramian) and :math:`\alpha_i = 1 / K` otherwise, so that the norm of the update is
    :math:`\gamma` times that of the uniform baseline. If the objectives conflict and the min-norm
    point is zero (to working precision, see :func:`~mmpareto_jax.solvers.is_stationary`), the
    weights are zero.

    A zero gradient is left out: :math:`\alpha` and K are those of the other objectives, and its own
    weight is :math:`\gamma \lambda`. This is not the limit of a gradient that goes to zero, and
    there is no such limit: the update does not conflict even with a very small gradient, so it
    depends on the direction from which the gradient goes to zero.

    The paper has two objectives. For more, the factor K and "conflict" as any negative inner
    product are our interpretation; for K = 2 both agree with the paper.

    Args:
      gamma: The norm of the update relative to that of the uniform baseline: a positive number, or
        an optax schedule of the step count. 1.5 by default, as in the paper.

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

    def weights(gramian: jax.Array, gamma: jax.Array) -> jax.Array:
        alpha = nearest_of_nonzero(gramian)
        conflict = jnp.any(gramian < 0)
        direction = jnp.where(conflict, summing_to_count(gramian, alpha), 1)
        uniform_norm = root(quadratic_form(gramian, jnp.ones_like(alpha)))
        norm = root(quadratic_form(gramian, direction))
        stationary = conflict & is_stationary(gramian, alpha)
        enhancement = jnp.where(conflict, uniform_norm / jnp.where(stationary, 1, norm), 1)
        return jnp.where(stationary, 0, gamma * enhancement * direction)

    return with_gamma(weights, gamma)


def with_gamma(
    weights: Callable[[jax.Array, jax.Array], jax.Array], gamma: optax.ScalarOrSchedule
) -> Weighting:
    """Make a weighting from a function of the Gramian and the current value of gamma.

    Args:
      weights: Function from the Gramian ``[K, K]`` and gamma ``()`` to the weights ``[K]``. Its
        result does not count where the Gramian is not finite: the weights are NaN then.
      gamma: A positive number, or an optax schedule of the step count, which starts at 0.

    Raises:
      ValueError: If ``gamma`` is a number that is not positive and finite.
    """
    if not callable(gamma):
        check("gamma", gamma, "positive and finite", lambda gamma: 0 < gamma < float("inf"))

    def init(num_objectives: int) -> MMParetoState:
        del num_objectives
        return MMParetoState(step=jnp.zeros((), jnp.int32))

    def update(
        gramian: jax.Array, state: MMParetoState, **extra: Any
    ) -> tuple[jax.Array, MMParetoState]:
        del extra
        now = as_real(gamma(state.step) if callable(gamma) else gamma, gramian.dtype)
        # A gradient that is not finite must show in the update, even without a conflict.
        found = jnp.where(jnp.all(jnp.isfinite(gramian)), weights(gramian, now), jnp.nan)
        return found, MMParetoState(step=next_step(state.step))

    return Weighting(init, update)


def summing_to_count(gramian: jax.Array, alpha: jax.Array) -> jax.Array:
    """Return min-norm weights times the number of nonzero gradients, and 1 for zero gradients.

    Args:
      gramian: The Gramian, ``[K, K]``, whose diagonal tells which gradients are zero.
      alpha: Weights of sum one, ``[K]``, zero for zero gradients.

    Returns:
      Weights of sum K, ``[K]``.
    """
    zero = jnp.diagonal(gramian) == 0
    return jnp.where(zero, 1, jnp.sum(~zero, dtype=alpha.dtype) * alpha)
