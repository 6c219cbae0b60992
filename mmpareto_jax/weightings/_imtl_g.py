"""IMTL-G, impartial multi-task learning: equal projections onto all gradients."""

import jax
import jax.numpy as jnp

from mmpareto_jax.solvers import normalized, pseudo_solve, root
from mmpareto_jax.weightings._weighting import Weighting, stateless


def imtl_g() -> Weighting:
    r"""Use the combination with equal projections onto all gradients (IMTL-G).

    .. math:: v = M^+ (|g_1|, \dots, |g_K|)^\top, \qquad w = v / \textstyle\sum_i v_i ,

    with :math:`M^+` the pseudo-inverse of the Gramian M. For linearly independent gradients the
    update's inner product with every unit gradient is the same. The pseudo-inverse extends this to
    dependent ones (Quinton & Rey 2024). Weights may be negative. The sum of v may be negative too:
    the update then worsens every objective, by the same projection. A change of scale of a single
    gradient can cause this. If the sum of v vanishes, as for opposite gradients, the weights are
    zero.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> gradients = jnp.array([[1.0, 0.0], [-1.8, 2.4]])
      >>> weighting = mmp.weightings.imtl_g()
      >>> weights, _ = weighting.update(gradients @ gradients.T, weighting.init(2))
      >>> for gradient in gradients:
      ...     projection = gradient @ (weights @ gradients) / jnp.linalg.norm(gradient)
      ...     print(f"{projection:.2f}")
      0.30
      0.30

    References:
      Liu et al., `Towards impartial multi-task learning
      <https://openreview.net/forum?id=IMPnRXEWpvr>`_, 2021, Eq. 6;
      Quinton & Rey, `Jacobian descent <https://arxiv.org/abs/2406.16232>`_, 2024.
    """

    def weights(gramian: jax.Array) -> jax.Array:
        gramian = normalized(gramian)
        norms = root(jnp.diagonal(gramian))
        zero = norms == 0
        lengths = jnp.where(zero, 1, norms)
        cosines = gramian / lengths[:, None] / lengths[None, :]
        # For independent gradients, solve with the cosines, which do not depend on the norms.
        both = jnp.stack([jnp.where(jnp.diag(zero), 1, cosines), gramian])
        sides = jnp.stack([jnp.ones_like(norms), norms])
        (inverse, projected), decomposed = jax.vmap(pseudo_solve)(both, sides)
        independent = decomposed.rank[0] == norms.shape[0]
        solution = jnp.where(independent, inverse / lengths, projected)
        solution = jnp.where(zero, 0, solution)
        total = jnp.sum(solution)
        tolerance = 32 * jnp.finfo(gramian.dtype).eps * jnp.sum(jnp.abs(solution))
        vanishes = jnp.abs(total) <= tolerance
        return jnp.where(vanishes, 0, solution / jnp.where(vanishes, 1, total))

    return stateless(weights)
