"""The weights 1 / K, which combine K gradients to their mean."""

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
      >>> aggregator = mmp.aggregate(mmp.weightings.mean(), num_objectives=2)
      >>> params, gradients = jnp.zeros(3), jnp.array([[1.0, 2.0, 3.0], [3.0, 4.0, 9.0]])
      >>> print(aggregator.update(gradients, aggregator.init(params), params)[0])
      [2. 3. 6.]

    References:
      Caruana, `Multitask learning <https://doi.org/10.1023/A:1007379606734>`_, 1997.
    """

    def weights(gramian: jax.Array) -> jax.Array:
        return jnp.full(gramian.shape[0], 1 / gramian.shape[0], gramian.dtype)

    return stateless(weights)
