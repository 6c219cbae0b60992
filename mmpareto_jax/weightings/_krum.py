"""Krum and multi-Krum: the mean of the gradients that are nearest to their neighbors."""

from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import check_count
from mmpareto_jax.weightings._weighting import Weighting


def krum(n_byzantine: int = 0, n_selected: int = 1) -> Weighting:
    r"""Average the gradients nearest to their neighbors, which is robust against outliers (Krum).

    The score of objective i is the sum of the squared distances :math:`|g_i - g_j|^2` to its
    :math:`K - f - 2` nearest others (at least one); the update is the mean of the gradients with
    the lowest scores. The method is meant for many objectives: with two, both scores are equal and
    the first gradient is selected.

    Args:
      n_byzantine: The number f of gradients that may be arbitrary, 0 by default. If it is positive,
        the paper's condition :math:`K \ge 2 f + 3` must hold: with fewer objectives the arbitrary
        gradients could be selected. (TorchJD accepts :math:`K \ge f + 3`, and sums the distances
        instead of their squares.)
      n_selected: The number of gradients to average: 1, the default, is Krum; more is multi-Krum.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Raises:
      ValueError: If ``n_byzantine`` is negative or ``n_selected`` not positive; from ``init``, if
        there are fewer than ``n_selected`` objectives, or fewer than 2 ``n_byzantine`` + 3 if
        ``n_byzantine`` is positive.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.krum()
      >>> gradients = jnp.array([[1.0], [1.1], [9.0]])
      >>> print(weighting.update(gradients @ gradients.T, weighting.init(3))[0])
      [1. 0. 0.]

    References:
      Blanchard et al., `Machine learning with adversaries: Byzantine tolerant gradient descent
      <https://arxiv.org/abs/1703.02757>`_, 2017.
    """
    check_count("n_byzantine", n_byzantine, 0)
    check_count("n_selected", n_selected, 1)

    def init(num_objectives: int) -> tuple[()]:
        fewest = max(n_selected, 2 * n_byzantine + 3 if n_byzantine else 1)
        if num_objectives < fewest:
            raise ValueError(f"krum needs at least {fewest} objectives here, got {num_objectives}")
        return ()

    def update(gramian: jax.Array, state: tuple[()], **extra: Any) -> tuple[jax.Array, tuple[()]]:
        del extra
        num_objectives = gramian.shape[0]
        squares = jnp.diagonal(gramian)
        distances = jnp.clip(squares[:, None] + squares[None, :] - 2 * gramian, 0)
        itself = jnp.eye(num_objectives, dtype=bool)
        nearest = jnp.sort(jnp.where(itself, jnp.inf, distances), axis=1)
        neighbors = min(max(num_objectives - n_byzantine - 2, 1), num_objectives - 1)
        scores = jnp.sum(nearest[:, :neighbors], axis=1)
        chosen = jnp.argsort(scores)[:n_selected]
        return jnp.zeros_like(squares).at[chosen].set(1 / n_selected), state

    return Weighting(init, update)
