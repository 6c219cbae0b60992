"""ConFIG, conflict-free inverse gradients: a direction with equal cosines to all gradients."""

import jax
import jax.numpy as jnp

from mmpareto_jax.solvers import pseudo_solve, root
from mmpareto_jax.weightings._weighting import PerObjective, Weighting, with_preference


def config(preference: PerObjective | None = None) -> Weighting:
    r"""Use the direction with the same positive cosine to every gradient (ConFIG).

    With the matrix of cosines :math:`C`, :math:`x = C^+ p` and the direction :math:`u = \sum_i x_i
    g_i / |g_i|`, normalized, the update is :math:`(\sum_i \langle g_i, u \rangle) u`:

    .. math:: w_i = \frac{x_i}{|g_i|} \cdot \frac{\sum_j |g_j| (C x)_j}{x^\top C x} .

    For linearly independent gradients :math:`C x = p`, so no objective is worsened. A zero gradient
    is left out; if the direction vanishes, the weights are zero. The length is the default of the
    paper and of the released code. Their other choices, which replace every :math:`|g_j|` by one
    norm, are not available.

    Args:
      preference: The direction weights p, ``[K]``, to which the cosines are proportional. All equal
        by default, as in the paper and the released code.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state, whose weights may be negative.

    Raises:
      ValueError: From ``init``, if ``preference`` does not have K entries.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> gramian, norms = jnp.array([[1.0, -2.0], [-2.0, 16.0]]), jnp.array([1.0, 4.0])
      >>> weighting = mmp.weightings.config()
      >>> weights, _ = weighting.update(gramian, weighting.init(2))
      >>> print(weights.round(3), (gramian @ weights / norms).round(3))  # equal projections
      [2.5   0.625] [1.25 1.25]

    References:
      Liu et al., `ConFIG <https://arxiv.org/abs/2408.11104>`_, 2024, Eq. 2.
    """

    def weights(gramian: jax.Array, preference: jax.Array) -> jax.Array:
        norms = root(jnp.diagonal(gramian))
        lengths = jnp.where(norms == 0, 1, norms)
        cosines = gramian / lengths[:, None] / lengths[None, :]
        largest = jnp.max(jnp.abs(preference))
        wanted = preference / jnp.where(largest == 0, 1, largest)
        solution, decomposed = pseudo_solve(cosines, wanted)
        # C x is the part of p in the range of C; computed as a product, it would lose digits.
        kept = (decomposed.values > 0).astype(wanted.dtype)
        full = decomposed.rank == wanted.shape[0]
        reached = jnp.where(full, wanted, decomposed.apply(kept, wanted))
        square = jnp.clip(jnp.sum(solution * reached), 0)
        vanishes = square <= jnp.finfo(gramian.dtype).eps
        projections = jnp.sum(norms * reached)
        scale = jnp.where(vanishes, 0, projections / jnp.where(vanishes, 1, square))
        return jnp.where(norms == 0, 0, solution * (scale / lengths))

    return with_preference(weights, preference)
