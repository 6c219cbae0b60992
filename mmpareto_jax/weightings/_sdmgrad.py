"""SDMGrad: the min-norm combination of the gradients, pulled towards a preferred one."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check, check_count, check_nonnegative
from mmpareto_jax.solvers import project_on_simplex, root
from mmpareto_jax.weightings._weighting import PerObjective, Weighting, per_objective


class SDMGradState(NamedTuple):
    """State of :func:`sdmgrad`: the weights from which the next descent starts.

    Attributes:
      weights: ``[K]``, at least zero and of sum one; 1 / K each at the start.
    """

    weights: jax.Array


def sdmgrad(
    lam: float = 0.3,
    iterations: int = 20,
    learning_rate: float = 10.0,
    momentum: float = 0.5,
    preference: PerObjective | None = None,
) -> Weighting:
    r"""Pull the min-norm combination towards a preferred combination (SDMGrad).

    Each call starts from the weights of the last one, and takes steps of projected gradient descent
    with momentum towards the minimizer, over the simplex, of

    .. math:: \tfrac12 \left| \textstyle\sum_i (w_i + \lambda p_i) g_i \right|^2,

    with the Gramian divided by the square of the mean norm. The update is :math:`\sum_i (w_i +
    \lambda p_i) g_i / (1 + \lambda)`. The released code also multiplies it by K, to match a sum of
    losses, and clips its norm to 1 (use ``optax.clip_by_global_norm`` after the aggregator).

    **Limitations:** The published method uses the Gramian of two independent batches,
    :math:`G_1 G_2^\top`, which makes the descent unbiased, and combines the gradients of a third
    batch. Here a single batch is used for all three, which is the method's deterministic version.
    If you call ``update`` yourself with :math:`G_1 G_2^\top`, it returns the published weights.

    Args:
      lam: The regularization :math:`\lambda`, at least zero. 0.3 by default, as in the released
        code for Cityscapes and NYUv2.
      iterations: Number of steps of descent in each call. 20 by default, as in the released code.
      learning_rate: Learning rate of the descent. 10 by default, as in the released code (5 in
        LibMTL). At such a rate the weights jump between corners of the simplex and do not converge;
        with 0.5 they do.
      momentum: Momentum of the descent, which starts at zero in each call. 0.5 by default, as in
        the released code.
      preference: The weights p of the preferred combination, ``[K]``. :math:`1 / K` each by
        default, the mean gradient, as in the paper's experiments and the released code.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state is the weights on the simplex.

    Raises:
      ValueError: If ``lam`` is negative, ``learning_rate`` negative or not finite, ``momentum`` not
        in [0, 1), or ``iterations`` not a positive integer; from ``init``, if ``preference`` does
        not have K entries.

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
    check_count("iterations", iterations, 1)
    check("lam", lam, "at least 0", lambda lam: lam >= 0)
    check_nonnegative("learning_rate", learning_rate)
    check("momentum", momentum, "in [0, 1)", lambda value: 0 <= value < 1)

    def init(num_objectives: int) -> SDMGradState:
        if preference is not None:
            per_objective(preference, "preference", num_objectives)
        return SDMGradState(weights=jnp.ones(num_objectives) / num_objectives)

    def update(
        gramian: jax.Array, state: SDMGradState, **extra: Any
    ) -> tuple[jax.Array, SDMGradState]:
        del extra
        mean_norm = jnp.mean(root(jnp.clip(jnp.diagonal(gramian), 0)))
        length = jnp.where(mean_norm == 0, 1, mean_norm)
        scaled = gramian / length / length
        pull, rate, inertia = (
            as_real(value, gramian.dtype) for value in (lam, learning_rate, momentum)
        )
        even = jnp.full(gramian.shape[0], 1 / gramian.shape[0], gramian.dtype)
        towards = pull * (even if preference is None else as_real(preference, gramian.dtype))

        def descend(_: int, point: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            weights, velocity = point
            velocity = inertia * velocity + jnp.sum(scaled * (weights + towards)[None, :], axis=1)
            return project_on_simplex(weights - rate * velocity), velocity

        start = state.weights.astype(gramian.dtype)
        weights, _ = jax.lax.fori_loop(0, iterations, descend, (start, jnp.zeros_like(start)))
        state = SDMGradState(weights.astype(state.weights.dtype))
        return (weights + towards) / (1 + pull), state

    return Weighting(init, update)
