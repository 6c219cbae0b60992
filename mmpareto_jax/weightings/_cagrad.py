"""CAGrad, conflict-averse gradient descent: the best worst-case direction near the mean."""

import jax

from mmpareto_jax.solvers import conflict_averse_weights
from mmpareto_jax.solvers._conflict_averse import check_radius
from mmpareto_jax.weightings._weighting import Weighting, stateless


def cagrad(c: float = 0.5) -> Weighting:
    r"""Maximize the worst improvement within a ball around the mean gradient (CAGrad).

    Of the directions in the ball of radius :math:`c |g_0|` around the mean gradient :math:`g_0`,
    the update is the one whose smallest inner product with a gradient is largest; its weights are
    :math:`1 / K + c |g_0| w_i / |g_w|`, where w sums to one and :math:`g_w = \sum_i w_i g_i`. As in
    the paper, the update is not rescaled. The released code and LibMTL divide it by :math:`1 +
    c^2`; the released code also multiplies it by K, to match a sum of losses.

    At a Pareto stationary point where no direction in the ball helps every objective, the weights
    are zero. A zero gradient counts in the mean but not in the smallest inner product. See
    :func:`~mmpareto_jax.solvers.conflict_averse_weights`.

    Args:
      c: The radius of the ball over the norm of the mean gradient, at least 0. With 0 the update is
        the mean gradient; with 1 or more it conflicts with no objective. 0.5 by default, one of the
        values in the paper.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Raises:
      ValueError: If ``c`` is negative or not finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> gramian = jnp.array([[1.0, -2.0], [-2.0, 16.0]])
      >>> for c in (0.0, 0.5, 1.0):
      ...     weighting = mmp.weightings.cagrad(c)
      ...     weights, _ = weighting.update(gramian, weighting.init(2))
      ...     print(f"radius {c}: worst improvement {jnp.min(gramian @ weights):.2f}")
      radius 0.0: worst improvement -0.50
      radius 0.5: worst improvement 0.40
      radius 1.0: worst improvement 1.30

    References:
      Liu et al., `Conflict-averse gradient descent for multi-task learning
      <https://arxiv.org/abs/2110.14048>`_, 2021, Algorithm 1.
    """
    check_radius(c)

    def weights(gramian: jax.Array) -> jax.Array:
        return conflict_averse_weights(gramian, c)

    return stateless(weights)
