"""Constant weights that the user chooses, one for each objective."""

from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real
from mmpareto_jax.weightings._weighting import PerObjective, Weighting, per_objective


def constant(weights: PerObjective) -> Weighting:
    r"""Give each objective a fixed weight that the user chooses (linear scalarization).

    Args:
      weights: The weights, of shape ``[K]``, in the order of the encoder's objectives. They are
        used as they are, not normalized.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state.

    Raises:
      ValueError: If the weights are not one row of numbers; from ``init``, if there are not K
        weights.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.constant([1.0, 0.5])
      >>> print(weighting.update(jnp.eye(2), weighting.init(2))[0])
      [1.  0.5]
    """
    shape = jnp.asarray(weights).shape
    if len(shape) != 1:
        raise ValueError(f"weights must be one row of numbers, got shape {shape}")

    def init(num_objectives: int) -> tuple[()]:
        per_objective(weights, "weights", num_objectives)
        return ()

    def update(gramian: jax.Array, state: tuple[()], **extra: Any) -> tuple[jax.Array, tuple[()]]:
        del extra
        return as_real(weights, gramian.dtype), state

    return Weighting(init, update)
