"""The conventional Pareto method."""

import jax

from mmpareto_jax.solvers import min_norm_weights
from mmpareto_jax.weightings._weighting import Weighting, stateless


def min_norm() -> Weighting:
    r"""Take :math:`w = K \alpha`, :math:`\alpha` the min-norm weights (conventional Pareto).

    The combination descends on every objective, or is zero at a Pareto stationary point. The
    factor K keeps the sum of the weights at that of the uniform baseline, as the paper does; the
    multiple-gradient descent algorithm itself has :math:`w = \alpha`.

    A zero gradient is itself the min-norm point: the update is zero, by definition of the method,
    as long as one objective's gradient is (:func:`~mmpareto_jax.weightings.mmpareto` goes on with
    the others).

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.min_norm()
      >>> print(weighting.update(jnp.diag(jnp.array([1.0, 3.0])), weighting.init(2))[0])
      [1.5 0.5]

    References:
      Sener & Koltun, `Multi-task learning as multi-objective optimization
      <https://arxiv.org/abs/1810.04650>`_, 2018;
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, Eq. 5 and 9.
    """

    def weights(gramian: jax.Array) -> jax.Array:
        return gramian.shape[0] * min_norm_weights(gramian)

    return stateless(weights)
