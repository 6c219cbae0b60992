"""GradVac, gradient vaccine: gradients turned towards each other, then summed."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax.solvers import root
from mmpareto_jax.weightings._pcgrad import random_orders
from mmpareto_jax.weightings._weighting import Weighting


class GradVacState(NamedTuple):
    """State of :func:`gradvac`: the running means of the cosines, and a random key.

    Attributes:
      targets: ``[K, K]``, the running means of the cosines of gradient i, after it was turned, and
        gradient j; zero at the start. The next gradients are turned until they reach them.
      key: ``[2]`` uint32, the random key for the orders of the next step.
    """

    targets: jax.Array
    key: jax.Array


def gradvac(beta: float = 0.01, seed: int = 0) -> Weighting:
    r"""Turn each gradient until its cosines reach their running means, and sum them (GradVac).

    This works as :func:`~mmpareto_jax.weightings.pcgrad`: each gradient :math:`g_i` is compared
    with the others in a random order of its own, and changed to :math:`g_i'`. But if the cosine
    :math:`\phi` of :math:`g_i'` and :math:`g_j` is below its running mean :math:`\hat\phi_{ij}`,
    the gradient becomes

    .. math::
      g_i' + \frac{|g_i'| (\hat\phi_{ij} \sqrt{1 - \phi^2} - \phi \sqrt{1 - \hat\phi_{ij}^2})}
      {|g_j| \sqrt{1 - \hat\phi_{ij}^2}}\, g_j,

    whose cosine with :math:`g_j` is :math:`\hat\phi_{ij}`. The running mean, zero at the start, is
    then updated to

    .. math:: \hat\phi_{ij} \leftarrow (1 - \beta) \hat\phi_{ij} + \beta \phi .

    A pair with a zero gradient is skipped. Where the running mean is one to working precision, the
    gradient is not turned.

    Args:
      beta: Weight of the new cosine in the running mean, in [0, 1]. 0.01 by default, as in the
        paper; in LibMTL and TorchJD it is 0.5.
      seed: Seed of the random orders, 0 by default. All encoders draw the same orders.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state is the running means and a random key.

    Raises:
      ValueError: If ``beta`` is not in [0, 1].

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.gradvac(beta=0.5)
      >>> similar, orthogonal = jnp.array([[1.0, 0.6], [0.6, 1.0]]), jnp.eye(2)
      >>> _, state = weighting.update(similar, weighting.init(2))  # the running mean becomes 0.3
      >>> print(weighting.update(orthogonal, state)[0].round(2))
      [1.31 1.31]

    References:
      Wang et al., `Gradient vaccine <https://arxiv.org/abs/2010.05874>`_, 2021, Algorithm 1.
    """
    check("beta", beta, "in [0, 1]", lambda beta: 0 <= beta <= 1)

    def init(num_objectives: int) -> GradVacState:
        return GradVacState(
            targets=jnp.zeros((num_objectives, num_objectives)), key=jax.random.PRNGKey(seed)
        )

    def update(
        gramian: jax.Array, state: GradVacState, **extra: Any
    ) -> tuple[jax.Array, GradVacState]:
        del extra
        key, now = jax.random.split(state.key)
        orders = random_orders(now, gramian.shape[0])
        rows = jnp.arange(gramian.shape[0])
        norms = root(jnp.diagonal(gramian))
        rate = as_real(beta, gramian.dtype)
        parallel = 32 * jnp.finfo(gramian.dtype).eps

        def meet(
            step: int, turned: tuple[jax.Array, jax.Array, jax.Array]
        ) -> tuple[jax.Array, jax.Array, jax.Array]:
            """Turn each gradient towards the next one in its order.

            Args:
              step: The place in the orders, from 0 to K - 1.
              turned: The coefficients C of the turned gradients g_i' = sum_k C_ik g_k, their inner
                products (C M)_ik = <g_i', g_k>, and the running means of the cosines, each
                ``[K, K]``.

            Returns:
              The same three arrays after the turn.
            """
            coefficients, products, targets = turned
            others = orders[:, step]
            own = root(jnp.clip(jnp.sum(coefficients * products, axis=1), 0))
            met = (own > 0) & (norms[others] > 0) & (others != rows)
            length = jnp.where(met, norms[others], 1)
            cosine = jnp.clip(products[rows, others] / length / jnp.where(met, own, 1), -1, 1)
            target = targets[rows, others]
            turn = met & (cosine < target) & (1 - target**2 > parallel)
            target_sine = jnp.sqrt(jnp.where(turn, 1 - target**2, 1))
            sine = root(1 - cosine**2)
            share = own / length * (target * sine / target_sine - cosine)
            share = jnp.where(turn, share, 0)
            mean = jnp.where(met, (1 - rate) * target + rate * cosine, target)
            return (
                coefficients.at[rows, others].add(share),
                products + share[:, None] * gramian[others],
                targets.at[rows, others].set(mean),
            )

        identity = jnp.eye(gramian.shape[0], dtype=gramian.dtype)
        targets = state.targets.astype(gramian.dtype)
        coefficients, _, targets = jax.lax.fori_loop(
            0, gramian.shape[0], meet, (identity, gramian, targets)
        )
        state = GradVacState(targets.astype(state.targets.dtype), key)
        return jnp.sum(coefficients, axis=0), state

    return Weighting(init, update)
