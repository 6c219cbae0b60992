"""STCH, smooth Tchebycheff scalarization: the gradient of a smooth maximum of the losses."""

from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax.weightings._weighting import (
    PerObjective,
    Weighting,
    per_objective,
    require_losses,
)


def stch(
    mu: float = 1.0,
    preference: PerObjective | None = None,
    ideal: PerObjective | None = None,
) -> Weighting:
    r"""Minimize a smooth maximum of the losses (smooth Tchebycheff scalarization).

    .. math::
      w_i = \lambda_i \operatorname{softmax}(\lambda (L - z) / \mu)_i, \qquad
      \text{the gradient of } \mu \log \sum_i \exp(\lambda_i (L_i - z_i) / \mu) .

    Args:
      mu: The smoothing; smaller values come closer to the maximum itself. 1 by default, as in the
        released code for multi-task learning. That code also takes the logarithms of the losses
        over their means in a warm-up, has a preference of ones and multiplies the result by K; to
        do the same, transform the losses that you pass.
      preference: The weights :math:`\lambda`, ``[K]``. :math:`1 / K` each by default, since the
        paper's preferences lie on the simplex.
      ideal: The ideal point z, ``[K]``, lower bounds of the losses. Zero by default.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state. It needs ``losses=``.

    Raises:
      ValueError: If ``mu`` is not positive; from ``init``, if ``preference`` or ``ideal`` does not
        have one entry for each objective; from ``update``, without losses.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.stch(mu=0.5)
      >>> losses = jnp.array([1.0, 2.0])
      >>> print(weighting.update(jnp.eye(2), weighting.init(2), losses=losses)[0].round(2))
      [0.13 0.37]

    References:
      Lin et al., `Smooth Tchebycheff scalarization for multi-objective optimization
      <https://arxiv.org/abs/2402.19078>`_, 2024, Eq. 9.
    """
    check("mu", mu, "positive", lambda mu: mu > 0)

    def init(num_objectives: int) -> tuple[()]:
        for name, values in (("preference", preference), ("ideal", ideal)):
            if values is not None:
                per_objective(values, name, num_objectives)
        return ()

    def update(
        gramian: jax.Array, state: tuple[()], *, losses: jax.Array | None = None, **extra: Any
    ) -> tuple[jax.Array, tuple[()]]:
        del extra
        losses = require_losses(losses, "stch").astype(gramian.dtype)
        shares = jnp.full_like(losses, 1 / losses.shape[0]) if preference is None else preference
        lowest = jnp.zeros_like(losses) if ideal is None else ideal
        shares, lowest = (as_real(values, gramian.dtype) for values in (shares, lowest))
        # Halves, since the difference of two large losses could overflow.
        halves = shares * (losses / 2 - lowest / 2)
        # A processor may take a smaller mu for zero.
        smoothing = jnp.maximum(as_real(mu, gramian.dtype), jnp.finfo(gramian.dtype).tiny)
        # Subtract the largest before the division, which could overflow.
        return shares * jax.nn.softmax(2 * ((halves - jnp.max(halves)) / smoothing)), state

    return Weighting(init, update)
