"""Every: the weights of another weighting, computed anew only every few steps."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import check_count
from mmpareto_jax.weightings._weighting import Weighting, check_weighting, next_step


class EveryState(NamedTuple):
    """State of :func:`every`.

    Attributes:
      step: The number of steps taken, ``()`` int32.
      weights: The weights of the last solution, ``[K]``.
      weighting: The state of the weighting after the last solution.
    """

    step: jax.Array
    weights: jax.Array
    weighting: Any


def every(weighting: Weighting, steps: int) -> Weighting:
    """Compute the weights of a weighting in every ``steps``-th step, and keep them in between.

    This saves the time of a slow solver; the gradients of all objectives are still needed. The
    weighting is called in the first step, and sees only the Gramians and losses of its own steps.

    Args:
      weighting: The weighting to call.
      steps: The number of steps from one solution to the next; 1 calls it in each step.

    Returns:
      A :class:`~mmpareto_jax.Weighting` with the needs of the given one.

    Raises:
      ValueError: If ``weighting`` is not a weighting, or ``steps`` not a positive integer.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.every(mmp.weightings.min_norm(), steps=2)
      >>> _, state = weighting.update(jnp.diag(jnp.array([1.0, 3.0])), weighting.init(2))
      >>> print(weighting.update(jnp.eye(2), state)[0])  # the weights of the step before
      [1.5 0.5]

    References:
      Navon et al., `Multi-task learning as a bargaining game
      <https://arxiv.org/abs/2202.01017>`_, 2022, Section 5.3, does this for Nash-MTL.
    """
    check_weighting(weighting)
    check_count("steps", steps, 1)

    def init(num_objectives: int) -> EveryState:
        return EveryState(
            step=jnp.zeros((), jnp.int32),
            weights=jnp.zeros(num_objectives),
            weighting=weighting.init(num_objectives),
        )

    def update(gramian: jax.Array, state: EveryState, **extra: Any) -> tuple[jax.Array, EveryState]:
        def solve() -> tuple[jax.Array, Any]:
            weights, inner = weighting.update(gramian, state.weighting, **extra)
            return weights.astype(state.weights.dtype), inner

        def keep() -> tuple[jax.Array, Any]:
            return state.weights, state.weighting

        weights, inner = jax.lax.cond(state.step % steps == 0, solve, keep)
        return weights.astype(gramian.dtype), EveryState(next_step(state.step), weights, inner)

    return Weighting(init, update)
