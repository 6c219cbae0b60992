"""FairGrad."""

import jax

from mmpareto_jax.solvers import alpha_fair_weights
from mmpareto_jax.solvers._alpha_fair import check_alpha
from mmpareto_jax.weightings._weighting import Weighting, stateless


def fairgrad(alpha: float = 1.0) -> Weighting:
    r"""Take the direction whose gains are alpha-fair (fair resource allocation).

    The weights solve :math:`(M w)_i = w_i^{-1 / \alpha}` and are used as they are, as in the
    paper: for gradients s times as long the update is :math:`s^{(1 - \alpha) / (1 + \alpha)}` times
    as long. They are zero at a Pareto stationary point, where the equation has no solution, and for
    a zero gradient. The released code multiplies the update by K, to match a sum of losses, and
    clips its norm to 1 (``optax.clip_by_global_norm`` after the aggregator).

    Args:
      alpha: The fairness, a positive number: 1 is proportional fairness, infinity max-min fairness.
        As it goes to zero the weights go to those of :func:`~mmpareto_jax.weightings.dual_proj`
        with a preference of ones. Zero itself, linear scalarization in the paper and the mean in
        TorchJD, is refused: use :func:`~mmpareto_jax.weightings.uniform` or
        :func:`~mmpareto_jax.weightings.mean`. 1 by default, the released code's.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Raises:
      ValueError: If ``alpha`` is not positive and finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.fairgrad()
      >>> print(weighting.update(jnp.diag(jnp.array([1.0, 4.0])), weighting.init(2))[0])
      [1.  0.5]

    References:
      Ban & Ji, `Fair resource allocation in multi-task learning
      <https://arxiv.org/abs/2402.15638>`_, 2024, Eq. 4 and Algorithm 1.
    """
    check_alpha(alpha)

    def weights(gramian: jax.Array) -> jax.Array:
        return alpha_fair_weights(gramian, alpha)

    return stateless(weights)
