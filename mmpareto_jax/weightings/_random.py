"""Random weights at each step: the softmax of K standard normal numbers, which sums to one."""

from typing import Any, NamedTuple

import jax

from mmpareto_jax.weightings._weighting import Weighting


class RandomState(NamedTuple):
    """State of :func:`random`: the random key for the weights of the next step.

    Attributes:
      key: ``[2]`` uint32.
    """

    key: jax.Array


def random(seed: int = 0) -> Weighting:
    r"""Draw new random weights at each step, the softmax of K standard normal numbers.

    The weights are positive and sum to one. They do not depend on the gradients or the losses.

    Args:
      seed: Seed of the weights, 0 by default. All encoders draw the same weights.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state is a random key.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.random()
      >>> weights, state = weighting.update(jnp.eye(3), weighting.init(3))
      >>> print(weights.sum().round(5))
      1.0

    References:
      Lin et al., `Reasonable effectiveness of random weighting
      <https://arxiv.org/abs/2111.10603>`_, 2022.
    """

    def init(num_objectives: int) -> RandomState:
        del num_objectives
        return RandomState(key=jax.random.PRNGKey(seed))

    def update(
        gramian: jax.Array, state: RandomState, **extra: Any
    ) -> tuple[jax.Array, RandomState]:
        del extra
        key, now = jax.random.split(state.key)
        normal = jax.random.normal(now, gramian.shape[:1], gramian.dtype)
        return jax.nn.softmax(normal), RandomState(key)

    return Weighting(init, update)
