"""Dynamic weight average (DWA): more weight for the losses that fall more slowly."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check, check_count
from mmpareto_jax.weightings._weighting import Weighting, require_losses


class DWAState(NamedTuple):
    """State of :func:`dwa`: the mean losses of the last two periods, zero until they are known.

    Attributes:
      total: ``[K]``, the sum of the losses of this period so far, divided by the period's length.
      last: ``[K]``, mean losses of the last period.
      before: ``[K]``, mean losses of the period before the last.
      steps: ``()`` int32, the number of steps in this period so far.
      periods: ``()`` int32, the number of periods completed, at most two.
    """

    total: jax.Array
    last: jax.Array
    before: jax.Array
    steps: jax.Array
    periods: jax.Array


def dwa(temperature: float = 2.0, period: int = 1) -> Weighting:
    r"""Give more weight to the losses that fall more slowly (dynamic weight average).

    .. math:: w = K \operatorname{softmax}(r / T), \qquad
      r_i = \frac{\bar L_i(t - 1)}{\bar L_i(t - 2)},

    with :math:`\bar L(t)` the mean losses of period t. During the first two periods all weights are
    1.

    Args:
      temperature: T; larger values give more even weights. 2 by default, as in the paper.
      period: Number of steps over which the losses are averaged, an epoch in the paper. 1 by
        default.

    Returns:
      A :class:`~mmpareto_jax.Weighting` with the mean losses of two periods as its state. It needs
      ``losses=``.

    Raises:
      ValueError: If ``temperature`` or ``period`` is not positive; from ``update``, without losses.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.dwa()
      >>> state = weighting.init(2)
      >>> for losses in ([4.0, 4.0], [1.0, 4.0], [1.0, 4.0]):
      ...     weights, state = weighting.update(jnp.eye(2), state, losses=jnp.array(losses))
      >>> print(weights.round(1))
      [0.8 1.2]

    References:
      Liu et al., `End-to-end multi-task learning with attention
      <https://arxiv.org/abs/1803.10704>`_, 2019, Eq. 7.
    """
    check("temperature", temperature, "positive", lambda temperature: temperature > 0)
    check_count("period", period, 1)

    def init(num_objectives: int) -> DWAState:
        zeros = jnp.zeros(num_objectives)
        none = jnp.zeros((), jnp.int32)
        return DWAState(total=zeros, last=zeros, before=zeros, steps=none, periods=none)

    def update(
        gramian: jax.Array, state: DWAState, *, losses: jax.Array | None = None, **extra: Any
    ) -> tuple[jax.Array, DWAState]:
        del extra
        losses = require_losses(losses, "dwa").astype(state.total.dtype)
        known = (state.periods >= 2) & (state.before != 0)
        rates = jnp.where(known, state.last / jnp.where(known, state.before, 1), 1)
        # Make an infinite rate, from a loss that was nearly zero, finite: it takes all the weight.
        rates = jnp.nan_to_num(rates, nan=jnp.nan)
        width = as_real(temperature, rates.dtype)
        weights = losses.shape[0] * jax.nn.softmax((rates - jnp.max(rates)) / width)

        total, steps = state.total + losses / period, state.steps + 1
        full = steps == period
        state = DWAState(
            total=jnp.where(full, 0, total),
            last=jnp.where(full, total, state.last),
            before=jnp.where(full, state.last, state.before),
            steps=jnp.where(full, 0, steps),
            periods=jnp.minimum(state.periods + full.astype(jnp.int32), 2),
        )
        return weights.astype(gramian.dtype), state

    return Weighting(init, update)
