"""The mean of the gradients."""

import jax
import jax.numpy as jnp

from mmpareto_jax.weightings._weighting import Weighting, stateless


def mean() -> Weighting:
    r"""Give every objective the weight :math:`1 / K`, for the gradient of the mean loss.

    This is :func:`~mmpareto_jax.weightings.uniform` divided by K, called equal weighting in the
    multi-task literature.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.mean()
      >>> print(weighting.update(jnp.eye(4), weighting.init(4))[0])
      [0.25 0.25 0.25 0.25]

    References:
      Caruana, `Multitask learning <https://doi.org/10.1023/A:1007379606734>`_, 1997.
    """

    def weights(gramian: jax.Array) -> jax.Array:
        return jnp.full(gramian.shape[0], 1 / gramian.shape[0], gramian.dtype)

    return stateless(weights)
