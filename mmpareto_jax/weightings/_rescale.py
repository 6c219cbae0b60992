"""Rescale: the direction of another weighting at the length of the plain sum."""

from typing import Any, Literal

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax.solvers import normalized, quadratic_form, root
from mmpareto_jax.weightings._weighting import Weighting, check_weighting


def rescale(
    weighting: Weighting, to: Literal["sum", "mean"] = "sum", gamma: float = 1.0
) -> Weighting:
    r"""Keep the direction of a weighting, at a length that all methods can share.

    .. math:: w = \gamma \frac{|\sum_i g_i|}{|\sum_i \hat w_i g_i|} \hat w

    for the weights :math:`\hat w` of the given weighting. Methods differ much in the length of
    their updates, which acts like a learning rate; rescaled, only their directions differ.
    MMPareto rescales the min-norm weights in this way where gradients conflict.

    The weights are zero if the combination :math:`\sum_i \hat w_i g_i` is, to working precision.

    Args:
      weighting: The weighting whose direction is kept.
      to: The length of reference: that of the "sum" of the gradients, by default, or of their
        "mean".
      gamma: The length of the update relative to the reference, a positive number. 1 by default.

    Returns:
      A :class:`~mmpareto_jax.Weighting` with the state and the needs of the given one.

    Raises:
      ValueError: If ``weighting`` is not a weighting, ``to`` is neither "sum" nor "mean", or
        ``gamma`` is not positive and finite.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.rescale(mmp.weightings.uniform(scale=10.0), gamma=1.5)
      >>> print(weighting.update(jnp.eye(2), weighting.init(2))[0].round(6))
      [1.5 1.5]

    References:
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, Eq. 16.
    """
    check_weighting(weighting)
    if to not in ("sum", "mean"):
        raise ValueError(f"to must be 'sum' or 'mean', got {to!r}")
    check("gamma", gamma, "positive and finite", lambda gamma: 0 < gamma < float("inf"))

    def update(gramian: jax.Array, state: Any, **extra: Any) -> tuple[jax.Array, Any]:
        direction, state = weighting.update(gramian, state, **extra)
        # In units of the largest weight and the longest gradient, whose squares stay in range.
        largest = jnp.max(jnp.abs(direction))
        direction = direction / jnp.where(largest == 0, 1, largest)
        products = normalized(gramian)
        count = gramian.shape[0] if to == "mean" else 1
        reference = root(quadratic_form(products, jnp.ones_like(direction))) / count
        norm = root(quadratic_form(products, direction))
        terms = jnp.sum(jnp.abs(direction) * root(jnp.diagonal(products)))
        vanishes = norm**2 <= 32 * jnp.finfo(gramian.dtype).eps * terms**2
        factor = as_real(gamma, gramian.dtype) * reference / jnp.where(vanishes, 1, norm)
        return jnp.where(vanishes, 0, factor * direction), state

    return Weighting(weighting.init, update)
