"""MoCo, multi-objective gradient correction: min-norm weights learned step by step."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check_nonnegative
from mmpareto_jax.solvers import project_on_simplex
from mmpareto_jax.weightings._weighting import Weighting, next_step


class MoCoState(NamedTuple):
    """State of :func:`moco`: the learned weights, and the number of steps taken.

    Attributes:
      weights: ``[K]``, at least zero and of sum one; 1 / K each at the start.
      step: ``()`` int32, 0 at the start.
    """

    weights: jax.Array
    step: jax.Array


def moco(gamma: float = 0.1, gamma_decay: float = 0.5, rho: float = 0.0) -> Weighting:
    r"""Learn min-norm weights by one step of projected gradient descent per call (MoCo).

    .. math:: w \leftarrow \Pi_\Delta \left( w - \gamma t^{-\sigma} (M + \rho I) w \right),

    with the step t = 1, 2, 3 and so on, the Gramian M, and the projection :math:`\Pi_\Delta` onto
    the weights that are at least zero and sum to one. The weights start at :math:`1 / K` each.

    **Limitations:** The published method computes the Gramian of running means of the gradients,
    :math:`y_i \leftarrow y_i - \beta (y_i - g_i)`, and combines these means. A weighting does not
    see the gradients. Put :func:`~mmpareto_jax.track_gradients` before the aggregator in the chain
    to get the published method; without it, this is the method with :math:`\beta = 1`. (LibMTL
    differs from the paper: it scales each gradient to a norm equal to its loss, and uses a softmax
    instead of the projection.)

    Args:
      gamma: Learning rate of the weights. 0.1 by default, as in LibMTL, which follows the authors'
        code.
      gamma_decay: The exponent :math:`\sigma` by which the learning rate decays. 0.5 by default, as
        in LibMTL.
      rho: Regularization :math:`\rho`, which pulls the weights towards equal ones. 0 by default, as
        in LibMTL.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state is the weights and a step count.

    Raises:
      ValueError: If a hyper-parameter is negative or not finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.moco()
      >>> print(weighting.update(jnp.diag(jnp.array([1.0, 3.0])), weighting.init(2))[0].round(2))
      [0.55 0.45]

    References:
      Fernando et al., `Mitigating gradient bias in multi-objective learning
      <https://arxiv.org/abs/2210.12624>`_, 2023, Algorithm 1.
    """
    check_nonnegative("gamma", gamma)
    check_nonnegative("gamma_decay", gamma_decay)
    check_nonnegative("rho", rho)

    def init(num_objectives: int) -> MoCoState:
        return MoCoState(
            weights=jnp.ones(num_objectives) / num_objectives, step=jnp.zeros((), jnp.int32)
        )

    def update(gramian: jax.Array, state: MoCoState, **extra: Any) -> tuple[jax.Array, MoCoState]:
        del extra
        step = next_step(state.step)
        first, power, ridge = (as_real(value, gramian.dtype) for value in (gamma, gamma_decay, rho))
        rate = first / step.astype(gramian.dtype) ** power
        weights = state.weights.astype(gramian.dtype)
        slope = jnp.sum(gramian * weights[None, :], axis=1) + ridge * weights
        weights = project_on_simplex(weights - rate * slope)
        return weights, MoCoState(weights.astype(state.weights.dtype), step)

    return Weighting(init, update)
