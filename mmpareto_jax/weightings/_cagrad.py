"""CAGrad."""

import jax

from mmpareto_jax.solvers import conflict_averse_weights
from mmpareto_jax.solvers._conflict_averse import check_radius
from mmpareto_jax.weightings._weighting import Weighting, stateless


def cagrad(c: float = 0.5) -> Weighting:
    r"""Help the worst objective most, within a ball around the mean gradient (CAGrad).

    The weights are :math:`1 / K + c |g_0| w_i / |g_w|`, of the direction in the ball of radius
    :math:`c |g_0|` around the mean gradient :math:`g_0` whose smallest inner product with a
    gradient is largest. Nothing is rescaled afterwards, as in the paper; the released code and
    LibMTL divide by :math:`1 + c^2`, and the released code multiplies by K, to match a sum of
    losses.

    Where no direction of the ball helps every objective because they are Pareto stationary the
    weights are zero. A zero gradient counts in the mean and not among those to help. See
    :func:`~mmpareto_jax.solvers.conflict_averse_weights`.

    Args:
      c: The radius of the ball over the norm of the mean gradient, at least 0: 0 is the mean
        gradient, and from 1 on there is no conflict. 0.5, a value of the paper's, by default.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Raises:
      ValueError: If ``c`` is negative or not finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.cagrad()
      >>> print(weighting.update(jnp.diag(jnp.array([4.0, 4.0])), weighting.init(2))[0])
      [0.75 0.75]

    References:
      Liu et al., `Conflict-averse gradient descent for multi-task learning
      <https://arxiv.org/abs/2110.14048>`_, 2021, Algorithm 1.
    """
    check_radius(c)

    def weights(gramian: jax.Array) -> jax.Array:
        return conflict_averse_weights(gramian, c)

    return stateless(weights)
