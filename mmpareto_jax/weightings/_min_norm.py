"""The conventional Pareto method: min-norm weights, scaled to sum to K."""

import jax

from mmpareto_jax.solvers import min_norm_weights
from mmpareto_jax.weightings._weighting import Weighting, stateless


def min_norm() -> Weighting:
    r"""Use :math:`w = K \alpha` with the min-norm weights :math:`\alpha` (conventional Pareto).

    The combination descends on every objective, or is zero at a Pareto stationary point. With the
    factor K, as in the paper, the weights sum to K as for the uniform baseline; the
    multiple-gradient descent algorithm itself has :math:`w = \alpha`.

    A zero gradient is itself the min-norm point. So, by definition of the method, the update is
    zero if the gradient of one objective is zero; :func:`~mmpareto_jax.weightings.mmpareto` leaves
    such an objective out.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.min_norm()
      >>> gramian = jnp.diag(jnp.array([1.0, 3.0]))
      >>> weights, _ = weighting.update(gramian, weighting.init(2))
      >>> print(weights, gramian @ weights)  # the same descent on both objectives
      [1.5 0.5] [1.5 1.5]

    References:
      Sener & Koltun, `Multi-task learning as multi-objective optimization
      <https://arxiv.org/abs/1810.04650>`_, 2018;
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, Eq. 5 and 9.
    """

    def weights(gramian: jax.Array) -> jax.Array:
        return gramian.shape[0] * min_norm_weights(gramian)

    return stateless(weights)
