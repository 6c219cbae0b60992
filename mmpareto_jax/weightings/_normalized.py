"""Normalized: another weighting for gradients of unit length."""

from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax.solvers import root
from mmpareto_jax.weightings._weighting import Weighting, check_weighting


def normalized(weighting: Weighting) -> Weighting:
    r"""Apply a weighting to the gradients at unit length.

    With the weights :math:`\hat w` that the given weighting computes from the cosines of the
    gradients,

    .. math:: w_i = \frac{\hat w_i}{|g_i|},

    so that the update is :math:`\sum_i \hat w_i g_i / |g_i|`. The scales of the gradients have no
    effect. A zero gradient stays zero. Losses are passed on as they are.

    Args:
      weighting: The weighting to apply.

    Returns:
      A :class:`~mmpareto_jax.Weighting` with the state and the needs of the given one.

    Raises:
      ValueError: If ``weighting`` is not a weighting.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.normalized(mmp.weightings.min_norm())
      >>> print(weighting.update(jnp.diag(jnp.array([1.0, 16.0])), weighting.init(2))[0])
      [1.   0.25]

    References:
      Désidéri, `Multiple-gradient descent algorithm
      <https://doi.org/10.1016/j.crma.2012.03.014>`_, 2012, normalizes gradients in this way.
    """
    check_weighting(weighting)

    def update(gramian: jax.Array, state: Any, **extra: Any) -> tuple[jax.Array, Any]:
        norms = root(jnp.diagonal(gramian))
        lengths = jnp.where(norms == 0, 1, norms)
        cosines = gramian / lengths[:, None] / lengths[None, :]
        weights, state = weighting.update(cosines, state, **extra)
        return weights / lengths, state

    return Weighting(weighting.init, update)
