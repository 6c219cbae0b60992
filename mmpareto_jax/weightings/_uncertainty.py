"""Uncertainty weighting: objectives with a large learned variance get a small weight."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check_nonnegative
from mmpareto_jax.weightings._weighting import Weighting, require_losses


class UncertaintyState(NamedTuple):
    """State of :func:`uncertainty`: the learned logarithms of the objectives' variances.

    Attributes:
      log_variances: ``[K]``, zero at the start.
    """

    log_variances: jax.Array


def uncertainty(learning_rate: float = 2.5e-3) -> Weighting:
    r"""Weight each objective by its learned noise level (uncertainty weighting).

    The losses are combined as the negative log-likelihood of outputs with variances
    :math:`e^{s_i}`,

    .. math:: \sum_i \tfrac12 e^{-s_i} L_i + \tfrac12 s_i, \qquad w_i = \tfrac12 e^{-s_i},

    and s takes one step of gradient descent on this sum in each call, after the weights are
    computed. It starts at 0 (-0.5 in LibMTL). For constant losses the weights converge to
    :math:`w_i = 1 / (2 L_i)`.

    Args:
      learning_rate: Learning rate of s. 0.0025 by default, the paper's rate for all parameters.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state is s. It needs ``losses=``.

    Raises:
      ValueError: If ``learning_rate`` is negative or not finite; from ``update``, without losses.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.uncertainty(learning_rate=0.1)
      >>> losses = jnp.array([1.0, 3.0])
      >>> weights, state = weighting.update(jnp.eye(2), weighting.init(2), losses=losses)
      >>> print(weights, state.log_variances)
      [0.5 0.5] [0.  0.1]

    References:
      Kendall et al., `Multi-task learning using uncertainty to weigh losses
      <https://arxiv.org/abs/1705.07115>`_, 2018, Eq. 7.
    """
    check_nonnegative("learning_rate", learning_rate)

    def init(num_objectives: int) -> UncertaintyState:
        return UncertaintyState(log_variances=jnp.zeros(num_objectives))

    def update(
        gramian: jax.Array,
        state: UncertaintyState,
        *,
        losses: jax.Array | None = None,
        **extra: Any,
    ) -> tuple[jax.Array, UncertaintyState]:
        del extra
        losses = require_losses(losses, "uncertainty").astype(state.log_variances.dtype)
        weights = jnp.exp(-state.log_variances) / 2
        slope = (1 - 2 * weights * losses) / 2
        rate = as_real(learning_rate, slope.dtype)
        state = UncertaintyState(state.log_variances - rate * slope)
        return weights.astype(gramian.dtype), state

    return Weighting(init, update)
