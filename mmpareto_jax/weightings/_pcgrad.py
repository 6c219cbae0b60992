"""PCGrad: each gradient is projected off those with which it conflicts; all are summed."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax.weightings._weighting import Weighting


class PCGradState(NamedTuple):
    """State of :func:`pcgrad`: the random key for the orders of the next step.

    Attributes:
      key: ``[2]`` uint32.
    """

    key: jax.Array


def pcgrad(seed: int = 0) -> Weighting:
    r"""Remove from each gradient its conflicts with the others, and sum the results (PCGrad).

    Each :math:`g_i` is compared with the other gradients in a random order of its own. If
    :math:`\langle g_i', g_j \rangle < 0`, it is projected onto the normal plane of :math:`g_j`:

    .. math:: g_i' \leftarrow g_i' - \frac{\langle g_i', g_j \rangle}{|g_j|^2} g_j .

    The update is :math:`\sum_i g_i'`. With two objectives the order does not matter, and neither
    gradient conflicts with the update. With more, as in the published method, a later projection
    may bring an earlier conflict back.

    Args:
      seed: Seed of the random orders, 0 by default. All encoders draw the same orders.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state is a random key.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.pcgrad()
      >>> conflicting = jnp.array([[1.0, -1.0], [-1.0, 2.0]])
      >>> print(weighting.update(conflicting, weighting.init(2))[0])
      [2.  1.5]

    References:
      Yu et al., `Gradient surgery for multi-task learning <https://arxiv.org/abs/2001.06782>`_,
      2020, Algorithm 1.
    """

    def init(num_objectives: int) -> PCGradState:
        del num_objectives
        return PCGradState(key=jax.random.PRNGKey(seed))

    def update(
        gramian: jax.Array, state: PCGradState, **extra: Any
    ) -> tuple[jax.Array, PCGradState]:
        del extra
        key, now = jax.random.split(state.key)
        orders = random_orders(now, gramian.shape[0])
        rows = jnp.arange(gramian.shape[0])
        squares = jnp.diagonal(gramian)
        smallest = jnp.finfo(gramian.dtype).tiny  # of the normal numbers

        def meet(step: int, projected: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            """Project each gradient off the next one in its order, if the two conflict.

            Args:
              step: The place in the orders, from 0 to K - 1.
              projected: The coefficients C of the projected gradients g_i' = sum_k C_ik g_k, and
                their inner products (C M)_ik = <g_i', g_k>, each ``[K, K]``.

            Returns:
              The same two arrays after the projection.
            """
            coefficients, products = projected
            others = orders[:, step]
            inner = products[rows, others]
            # A square may underflow although the inner product does not.
            conflict = (inner < 0) & (others != rows) & (squares[others] >= smallest)
            square = jnp.where(conflict, squares[others], 1)
            share = jnp.where(conflict, inner / square, 0)
            return (
                coefficients.at[rows, others].add(-share),
                products - share[:, None] * gramian[others],
            )

        identity = jnp.eye(gramian.shape[0], dtype=gramian.dtype)
        coefficients, _ = jax.lax.fori_loop(0, gramian.shape[0], meet, (identity, gramian))
        return jnp.sum(coefficients, axis=0), PCGradState(key)

    return Weighting(init, update)


def random_orders(key: jax.Array, num_objectives: int) -> jax.Array:
    """Draw an independent, uniformly random order of all objectives for each objective.

    Args:
      key: A random key.
      num_objectives: The number K of objectives.

    Returns:
      Integers of shape ``[K, K]``; row i is the order of objective i, a permutation of 0 to K - 1,
      which contains i itself.
    """
    return jnp.argsort(jax.random.uniform(key, (num_objectives, num_objectives)), axis=1)
