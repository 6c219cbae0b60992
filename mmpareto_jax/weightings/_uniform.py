"""The uniform baseline: the same weight for every objective, 1 by default."""

import math

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax.weightings._weighting import Weighting, stateless


def uniform(scale: float = 1.0) -> Weighting:
    r"""Give every objective the same weight, for the gradient of ``scale`` times the summed losses.

    With ``scale`` equal to MMPareto's gamma, this is the ablation that shows how much of MMPareto's
    effect comes from the magnitude alone ("uniform x gamma").

    Args:
      scale: The weight of each objective. 1 by default, the paper's uniform baseline.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Raises:
      ValueError: If ``scale`` is not finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.uniform()
      >>> print(weighting.update(jnp.eye(3), weighting.init(3))[0])
      [1. 1. 1.]

    References:
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, Eq. 6.
    """
    check("scale", scale, "finite", math.isfinite)

    def weights(gramian: jax.Array) -> jax.Array:
        return jnp.full(gramian.shape[0], as_real(scale, gramian.dtype))

    return stateless(weights)
