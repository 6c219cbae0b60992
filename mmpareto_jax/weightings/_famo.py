"""FAMO, fast adaptive multitask optimization: weights learned from how fast losses fall."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check_nonnegative
from mmpareto_jax.weightings._weighting import Weighting, log_losses, next_step


class FAMOState(NamedTuple):
    """State of :func:`famo`: the learned logits, what Adam keeps, and the last losses.

    Attributes:
      logits: ``[K]``, zero at the start.
      mean: ``[K]``, Adam's running mean of the gradient with respect to the logits.
      square: ``[K]``, Adam's running mean of the square of that gradient.
      log_losses: ``[K]``, logarithms of the losses of the last step.
      step: ``()`` int32, the number of steps taken.
    """

    logits: jax.Array
    mean: jax.Array
    square: jax.Array
    log_losses: jax.Array
    step: jax.Array


def famo(learning_rate: float = 0.025, weight_decay: float = 1e-3) -> Weighting:
    r"""Learn weights that make all losses fall at the same relative rate (FAMO).

    .. math::
      w_i = \frac{z_i / L_i}{\sum_j z_j / L_j}, \qquad z = \operatorname{softmax}(\xi) .

    The weights sum to one. The logits :math:`\xi`, zero at the start, take one step of Adam with
    the gradient :math:`(\partial z / \partial \xi)^\top \delta`, where :math:`\delta_i` is the
    decrease of :math:`\log L_i` in the last step: the losses that fell most lose weight.

    **Limitations:** The published method evaluates the losses once more on the same batch after
    each step. Here :math:`\delta` compares the losses of successive calls, which saves that forward
    pass but is noisier if every step has a new batch.

    Losses must be positive; subtract their lower bounds first. A loss of zero counts as the
    smallest normal number and takes all the weight, as in the limit. A negative loss makes the
    weights NaN, for which an aggregator keeps the old state. The released code also clips the norm
    of the update to 1 (use ``optax.clip_by_global_norm`` after the aggregator).

    Args:
      learning_rate: Learning rate of Adam. 0.025 by default, as in the paper.
      weight_decay: L2 penalty on the logits. 0.001 by default, which the paper chose from 0.0001,
        0.001 and 0.01 for all of its supervised data sets except CityScapes (0.01). The two classes
        of the released code have 0.01 and 1e-5.

    Returns:
      A :class:`~mmpareto_jax.Weighting` that needs ``losses=``. Its state is the logits, Adam's
      moments and the last losses.

    Raises:
      ValueError: If a hyper-parameter is negative or not finite; from ``update``, without losses.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.famo()
      >>> losses = jnp.array([1.0, 3.0])
      >>> print(weighting.update(jnp.eye(2), weighting.init(2), losses=losses)[0].round(2))
      [0.75 0.25]

    References:
      Liu et al., `FAMO <https://arxiv.org/abs/2306.03792>`_, 2023, Algorithm 1.
    """
    check_nonnegative("learning_rate", learning_rate)
    check_nonnegative("weight_decay", weight_decay)

    def init(num_objectives: int) -> FAMOState:
        zeros = jnp.zeros(num_objectives)
        return FAMOState(zeros, zeros, zeros, zeros, step=jnp.zeros((), jnp.int32))

    def update(
        gramian: jax.Array, state: FAMOState, *, losses: jax.Array | None = None, **extra: Any
    ) -> tuple[jax.Array, FAMOState]:
        del extra
        now = log_losses(losses, "famo").astype(state.logits.dtype)
        now = jnp.where(now == -jnp.inf, jnp.log(jnp.finfo(now.dtype).tiny), now)
        rate, decay = (as_real(value, now.dtype) for value in (learning_rate, weight_decay))
        shares = jax.nn.softmax(state.logits)
        fallen = state.log_losses - now
        slope = shares * (fallen - jnp.sum(shares * fallen)) + decay * state.logits
        slope = jnp.where(state.step > 0, slope, 0)  # no decrease is known in the first step
        mean = _MEAN_DECAY * state.mean + (1 - _MEAN_DECAY) * slope
        square = _SQUARE_DECAY * state.square + (1 - _SQUARE_DECAY) * slope**2
        steps = jnp.maximum(state.step, 1).astype(slope.dtype)
        unbiased = mean / _seen(_MEAN_DECAY, steps)
        length = jnp.sqrt(square / _seen(_SQUARE_DECAY, steps))
        logits = state.logits - rate * unbiased / (length + 1e-8)
        weights = jax.nn.softmax(logits - now).astype(gramian.dtype)
        return weights, FAMOState(logits, mean, square, now, next_step(state.step))

    return Weighting(init, update)


_MEAN_DECAY, _SQUARE_DECAY = 0.9, 0.999  # the defaults of Adam


def _seen(decay: float, steps: jax.Array) -> jax.Array:
    """Return ``1 - decay ** steps``, the bias correction of a running mean that starts at zero.

    Args:
      decay: The share of the old value in the running mean, in (0, 1).
      steps: ``()``, the number of steps taken, as a floating-point number of at least 1.
    """
    return -jnp.expm1(steps * math.log(decay))
