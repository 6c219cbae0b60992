"""FairGrad: weights that share the improvement fairly among the objectives."""

import jax

from mmpareto_jax.solvers import alpha_fair_weights
from mmpareto_jax.solvers._alpha_fair import check_alpha
from mmpareto_jax.weightings._weighting import Weighting, stateless


def fairgrad(alpha: float = 1.0) -> Weighting:
    r"""Use the direction whose gains are alpha-fair (FairGrad).

    The gain of an objective is the inner product of its gradient and the update, :math:`(M w)_i`
    with the Gramian M. The weights solve :math:`(M w)_i = w_i^{-1 / \alpha}` and are not rescaled,
    as in the paper. For gradients s times as long, the update is :math:`s^{(1 - \alpha) / (1 +
    \alpha)}` times as long. All weights are zero at a Pareto stationary point, where the equation
    has no solution; the weight of a zero gradient is zero. The released code multiplies the update
    by K, to match a sum of losses, and clips its norm to 1 (use ``optax.clip_by_global_norm`` after
    the aggregator).

    Args:
      alpha: The fairness, a positive number. 1 is proportional fairness; as alpha grows, the result
        approaches max-min fairness. As alpha goes to zero, the weights approach those of
        :func:`~mmpareto_jax.weightings.dual_proj` with a preference of ones. Zero itself (linear
        scalarization in the paper, the mean in TorchJD) is an error: use
        :func:`~mmpareto_jax.weightings.uniform` or :func:`~mmpareto_jax.weightings.mean`. 1 by
        default, as in the released code.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Raises:
      ValueError: If ``alpha`` is not positive and finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> gramian = jnp.array([[1.0, -2.0], [-2.0, 16.0]])
      >>> weighting = mmp.weightings.fairgrad()
      >>> weights, _ = weighting.update(gramian, weighting.init(2))
      >>> print(weights.round(2), (weights * (gramian @ weights)).round(2))
      [1.41 0.35] [1. 1.]

    References:
      Ban & Ji, `Fair resource allocation in multi-task learning
      <https://arxiv.org/abs/2402.15638>`_, 2024, Eq. 4 and Algorithm 1.
    """
    check_alpha(alpha)

    def weights(gramian: jax.Array) -> jax.Array:
        return alpha_fair_weights(gramian, alpha)

    return stateless(weights)
