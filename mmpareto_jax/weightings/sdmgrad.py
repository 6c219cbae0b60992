"""SDMGrad: direction-oriented multi-objective gradient descent."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax.solvers import project_on_simplex, root
from mmpareto_jax.weightings._weighting import Weighting


class SDMGradState(NamedTuple):
    """State of :func:`sdmgrad`: where the descent of the weights stands."""

    weights: jax.Array  # [K], on the simplex


def sdmgrad(
    lam: float = 0.3, iterations: int = 20, learning_rate: float = 5.0, momentum: float = 0.5
) -> Weighting:
    r"""The min-norm combination, regularised towards the mean gradient, by projected descent.

    Some steps of projected gradient descent with momentum, from the weights of the last step,
    towards the minimiser over the simplex of

    .. math:: \tfrac12 \left| \textstyle\sum_i w_i g_i + \lambda \bar g \right|^2,

    :math:`\bar g` the mean gradient, with the Gramian divided by the square of the mean norm. The
    update is :math:`(\sum_i w_i g_i + \lambda \bar g) / (1 + \lambda)`.

    **What this contract lacks:** the published method takes the Gramian of two independent batches,
    :math:`G_1 G_2^\top`, which makes the descent unbiased, and combines the gradients of a third.
    Here one batch serves for all three: it is the method's deterministic version.

    Args:
      lam: The regularisation :math:`\lambda`, at least zero. 0.3 by default, as in the released
        code for Cityscapes and NYUv2.
      iterations: Steps of descent at each call. 20 by default, as in the released code.
      learning_rate: Of the descent. 5 by default, as in LibMTL (the released code and TorchJD have
        10). At such a rate the weights jump between corners of the simplex and do not settle; 0.5
        converges.
      momentum: Of the descent, from zero at each call. 0.5 by default, as in the released code.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state is the weights on the simplex.

    Raises:
      ValueError: If ``lam`` is negative.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.sdmgrad(lam=0.0, learning_rate=0.5)
      >>> print(weighting.update(jnp.diag(jnp.array([1.0, 3.0])), weighting.init(2))[0].round(2))
      [0.75 0.25]

    References:
      Xiao et al., `Direction-oriented multi-objective learning
      <https://arxiv.org/abs/2305.18409>`_, 2023, Algorithm 1.
    """
    if lam < 0:
        raise ValueError(f"lam must not be negative, got {lam}")

    def init(num_objectives: int) -> SDMGradState:
        return SDMGradState(weights=jnp.ones(num_objectives) / num_objectives)

    def update(
        gramian: jax.Array, state: SDMGradState, **extra: Any
    ) -> tuple[jax.Array, SDMGradState]:
        del extra
        mean_norm = jnp.mean(root(jnp.diagonal(gramian)))
        length = jnp.where(mean_norm == 0, 1, mean_norm)
        scaled = gramian / length / length
        towards = lam / gramian.shape[0]

        def descend(_: int, point: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            weights, velocity = point
            velocity = momentum * velocity + jnp.sum(scaled * (weights + towards)[None, :], axis=1)
            return project_on_simplex(weights - learning_rate * velocity), velocity

        start = state.weights.astype(gramian.dtype)
        weights, _ = jax.lax.fori_loop(0, iterations, descend, (start, jnp.zeros_like(start)))
        state = SDMGradState(weights.astype(state.weights.dtype))
        return (weights + towards) / (1 + lam), state

    return Weighting(init, update)
