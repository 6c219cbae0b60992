"""Aligned-MTL: weights that make the gradients orthogonal and equally long before their sum."""

from typing import Literal

import jax
import jax.numpy as jnp

from mmpareto_jax.solvers import normalized, root, spectrum
from mmpareto_jax.weightings._weighting import PerObjective, Weighting, with_preference


def aligned_mtl(
    scale: Literal["min", "median", "rmse"] = "min",
    preference: PerObjective | None = None,
) -> Weighting:
    r"""Make the gradients orthogonal and of equal length before they are combined.

    With the Gramian :math:`M = V \operatorname{diag}(\lambda) V^\top`, for the eigenvalues that are
    not zero,

    .. math:: w = \sqrt{\sigma}\, V \operatorname{diag}(\lambda)^{-1/2} V^\top p .

    The matrix of gradients is replaced by the nearest matrix with orthogonal rows of the common
    length :math:`\sqrt\sigma`, so that no gradient dominates or conflicts with another. If all
    gradients are zero, w = p.

    Args:
      scale: How to choose :math:`\sigma` from the nonzero eigenvalues: "min", the default and the
        paper's choice, is the smallest; "median" the median (the lower of two middle ones); "rmse"
        the mean.
      preference: Weights p of the aligned gradients, ``[K]``. :math:`1 / K` each by default, the
        paper's task weights (Section 3.1). The released code and LibMTL sum the aligned gradients,
        which corresponds to ones and makes updates K times as long.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Raises:
      ValueError: If ``scale`` is unknown; from ``init``, if ``preference`` does not have K entries.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.aligned_mtl()
      >>> print(weighting.update(jnp.diag(jnp.array([1.0, 4.0])), weighting.init(2))[0].round(3))
      [0.5  0.25]

    References:
      Senushkin et al., `Independent component alignment for multi-task learning
      <https://arxiv.org/abs/2305.19000>`_, 2023, Algorithm 1.
    """
    if scale not in ("min", "median", "rmse"):
        raise ValueError(f'scale must be "min", "median" or "rmse", got {scale!r}')

    def weights(gramian: jax.Array, preference: jax.Array) -> jax.Array:
        decomposed = spectrum(normalized(gramian))
        values, rank = decomposed.values, decomposed.rank
        lowest = values.shape[0] - rank
        match scale:
            case "min":
                square = values[lowest]
            case "median":
                square = values[lowest + (rank - 1) // 2]
            case _:
                square = jnp.sum(values) / rank.astype(values.dtype)
        aligned = decomposed.apply(root(square) * decomposed.powers(-0.5), preference)
        return jnp.where(rank == 0, preference, aligned)

    return with_preference(weights, preference)
