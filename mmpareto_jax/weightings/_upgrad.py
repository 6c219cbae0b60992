"""UPGrad: each gradient is projected onto the directions that harm no objective, then summed."""

import jax
import jax.numpy as jnp

from mmpareto_jax.solvers import dual_cone_weights
from mmpareto_jax.weightings._weighting import PerObjective, Weighting, with_preference


def upgrad(preference: PerObjective | None = None) -> Weighting:
    r"""Project each gradient onto the directions that harm no objective, and sum them (UPGrad).

    The update is :math:`\sum_i \pi(u_i g_i)` with :math:`\pi` the projection onto the cone of
    directions that harm no objective. A small gradient contributes in proportion to its norm.

    Args:
      preference: The weights u, ``[K]``. :math:`1 / K` each by default, as in the reference.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Raises:
      ValueError: From ``init``, if ``preference`` does not have K entries.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.upgrad()
      >>> gramian = jnp.array([[1.0, -2.0], [-2.0, 16.0]])
      >>> print(weighting.update(gramian, weighting.init(2))[0])
      [1.5    0.5625]

    References:
      Quinton & Rey, `Jacobian descent for multi-objective optimization
      <https://arxiv.org/abs/2406.16232>`_, 2024, Section 3 and Proposition 1.
    """

    def weights(gramian: jax.Array, preference: jax.Array) -> jax.Array:
        return jnp.sum(dual_cone_weights(gramian, jnp.diag(preference)), axis=0)

    return with_preference(weights, preference)
