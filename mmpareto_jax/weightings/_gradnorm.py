"""GradNorm, gradient normalization: weights learned so that losses fall at a common rate."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check, check_nonnegative
from mmpareto_jax.solvers import root
from mmpareto_jax.weightings._weighting import Weighting, next_step, require_losses


class GradNormState(NamedTuple):
    """State of :func:`gradnorm`: the learned weights, and what they are learned from.

    Attributes:
      weights: ``[K]``, of sum K, the weights of the next step; all 1 at the start.
      initial_losses: ``[K]``, the losses of the first step; all 1 before it.
      step: ``()`` int32, the number of steps taken.
    """

    weights: jax.Array
    initial_losses: jax.Array
    step: jax.Array


def gradnorm(alpha: float = 1.5, learning_rate: float = 0.025) -> Weighting:
    r"""Learn weights with which all objectives train at a common rate (GradNorm).

    Let :math:`G_i = w_i |g_i|`, let :math:`\bar G` be their mean over the K objectives, and let
    :math:`r_i` be the ratio :math:`L_i / L_i(0)` of a loss to its first value, divided by the mean
    of these ratios. Each call returns the current weights and then takes one step of gradient
    descent on

    .. math:: \sum_i \left| G_i - \bar G r_i^\alpha \right|

    with the targets :math:`\bar G r_i^\alpha` held constant. The new weights are clipped at 0 and
    rescaled to sum to K; if all of them would be zero, the old weights are kept. As in the paper,
    the descent depends on the scale of the gradients. The paper computes the norms over the last
    shared layer; here they are over the whole encoder. The paper learns the weights with Adam, and
    reports that the choice of optimizer makes little difference.

    Args:
      alpha: How strongly the objectives are pulled to a common rate. 1.5 by default, as in the
        paper's experiments on NYUv2 and in LibMTL.
      learning_rate: Learning rate of the weights. 0.025 by default, as in the paper.

    Returns:
      A :class:`~mmpareto_jax.Weighting` with the weights, the first losses and a step count as its
      state. It needs ``losses=``.

    Raises:
      ValueError: If ``alpha`` is not finite, or ``learning_rate`` negative or not finite; from
        ``update``, without losses.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.gradnorm()
      >>> gramian, losses = jnp.diag(jnp.array([1.0, 4.0])), jnp.array([1.0, 2.0])
      >>> weights, state = weighting.update(gramian, weighting.init(2), losses=losses)
      >>> print(weights, state.weights.round(2))
      [1. 1.] [1.04 0.96]

    References:
      Chen et al., `GradNorm <https://arxiv.org/abs/1711.02257>`_, 2018, Algorithm 1.
    """
    check("alpha", alpha, "finite", math.isfinite)
    check_nonnegative("learning_rate", learning_rate)

    def init(num_objectives: int) -> GradNormState:
        return GradNormState(
            weights=jnp.ones(num_objectives),
            initial_losses=jnp.ones(num_objectives),
            step=jnp.zeros((), jnp.int32),
        )

    def update(
        gramian: jax.Array,
        state: GradNormState,
        *,
        losses: jax.Array | None = None,
        **extra: Any,
    ) -> tuple[jax.Array, GradNormState]:
        del extra
        losses = require_losses(losses, "gradnorm").astype(gramian.dtype)
        weights = state.weights.astype(gramian.dtype)
        initial = jnp.where(state.step == 0, losses, state.initial_losses.astype(gramian.dtype))
        norms = root(jnp.diagonal(gramian))
        weighted = weights * norms
        known = initial != 0
        # Bound the ratios so that the sum of K of them stays in the range of the dtype.
        bound = jnp.finfo(gramian.dtype).max / weights.shape[0]
        progress = jnp.where(known, losses / jnp.where(known, initial, 1), 1)
        progress = jnp.clip(progress, -bound, bound)
        mean = jnp.mean(progress)
        rates = jnp.clip(jnp.where(mean == 0, 1, progress / jnp.where(mean == 0, 1, mean)), 0)
        power, step_size = (as_real(value, gramian.dtype) for value in (alpha, learning_rate))
        targets = jnp.mean(weighted) * rates**power
        learned = jnp.clip(weights - step_size * norms * jnp.sign(weighted - targets), 0)
        # Divide by the largest first, since the sum of large weights could overflow.
        largest = jnp.max(learned)
        learned = learned / jnp.where(largest == 0, 1, largest)
        learned = weights.shape[0] * learned / jnp.where(largest == 0, 1, jnp.sum(learned))
        learned = jnp.where(largest == 0, weights, learned)
        return weights, GradNormState(
            weights=learned.astype(state.weights.dtype),
            initial_losses=initial.astype(state.initial_losses.dtype),
            step=next_step(state.step),
        )

    return Weighting(init, update)
