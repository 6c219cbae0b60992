"""The weights with which the combined gradient is that of the geometric mean of the losses."""

from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax.weightings._weighting import Weighting, log_losses


def geometric_mean() -> Weighting:
    r"""Minimize the geometric mean of the losses (geometric loss strategy).

    .. math:: w_i = \frac{1}{K L_i} \Bigl( \prod_j L_j \Bigr)^{1/K} .

    A change of the units of a loss changes the update only by a common factor. Losses must be
    positive, since the geometric mean has no gradient at zero and is not defined for negative
    losses; a loss below the smallest normal number counts as zero. Otherwise the weights are NaN,
    so that ``optax.apply_if_finite`` after the aggregator skips the step.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state. It needs ``losses=``.

    Raises:
      ValueError: From ``update``, without losses.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.geometric_mean()
      >>> losses = jnp.array([1.0, 4.0])
      >>> weights, _ = weighting.update(jnp.eye(2), weighting.init(2), losses=losses)
      >>> print(weights.round(3), (weights * losses).round(3))
      [1.   0.25] [1. 1.]

    References:
      Chennupati et al., `MultiNet++ <https://arxiv.org/abs/1904.08492>`_, 2019, Eq. 3.
    """

    def init(num_objectives: int) -> tuple[()]:
        del num_objectives
        return ()

    def update(
        gramian: jax.Array, state: tuple[()], *, losses: jax.Array | None = None, **extra: Any
    ) -> tuple[jax.Array, tuple[()]]:
        del extra
        logs = log_losses(losses, "geometric_mean").astype(gramian.dtype)
        weights = jnp.exp(jnp.mean(logs) - logs) / logs.shape[0]
        return jnp.where(jnp.all(jnp.isfinite(logs)), weights, jnp.nan), state

    return Weighting(init, update)
