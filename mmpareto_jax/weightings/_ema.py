"""EMA: a running mean of the weights of another weighting (CR-MOGM)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax.weightings._weighting import Weighting, check_weighting, next_step


class EMAState(NamedTuple):
    """State of :func:`ema`.

    Attributes:
      step: The number of steps taken, ``()`` int32.
      weights: The running mean of the weights, ``[K]``; zeros before the first step.
      weighting: The state of the averaged weighting.
    """

    step: jax.Array
    weights: jax.Array
    weighting: Any


def ema(weighting: Weighting, decay: float = 0.9) -> Weighting:
    r"""Average the weights of a weighting over the steps (CR-MOGM).

    .. math:: w_t = \beta w_{t-1} + (1 - \beta) \hat w_t, \qquad w_1 = \hat w_1,

    with the weights :math:`\hat w_t` that the given weighting computes. Noise in the weights, which
    biases multi-objective methods in stochastic training, is averaged out.

    Args:
      weighting: The weighting to average.
      decay: The weight :math:`\beta` of the past, from 0 (no averaging) to 1 (the first weights for
        ever). 0.9 by default, as in TorchJD. The paper lets it grow towards 1 as the learning rate
        falls: pass a traced value.

    Returns:
      A :class:`~mmpareto_jax.Weighting` with the needs of the given one.

    Raises:
      ValueError: If ``weighting`` is not a weighting, or ``decay`` not in [0, 1].

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.ema(mmp.weightings.min_norm(), decay=0.5)
      >>> _, state = weighting.update(jnp.diag(jnp.array([1.0, 3.0])), weighting.init(2))
      >>> print(weighting.update(jnp.eye(2), state)[0])  # between [1.5 0.5] and [1 1]
      [1.25 0.75]

    References:
      Zhou et al., `On the convergence of stochastic multi-objective gradient manipulation and
      beyond <https://openreview.net/forum?id=ScwfQ7hdwyP>`_, 2022. Read: the description and code
      of TorchJD 0.18, whose start from the first weights is taken.
    """
    check_weighting(weighting)
    check("decay", decay, "in [0, 1]", lambda decay: 0 <= decay <= 1)

    def init(num_objectives: int) -> EMAState:
        return EMAState(
            step=jnp.zeros((), jnp.int32),
            weights=jnp.zeros(num_objectives),
            weighting=weighting.init(num_objectives),
        )

    def update(gramian: jax.Array, state: EMAState, **extra: Any) -> tuple[jax.Array, EMAState]:
        now, inner = weighting.update(gramian, state.weighting, **extra)
        kept = as_real(decay, gramian.dtype)
        mean = kept * state.weights.astype(gramian.dtype) + (1 - kept) * now
        weights = jnp.where(state.step == 0, now, mean)
        following = EMAState(next_step(state.step), weights.astype(state.weights.dtype), inner)
        return weights, following

    return Weighting(init, update)
