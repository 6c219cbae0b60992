"""The trimmed mean of the gradients: at each coordinate, the mean without the extremes."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from optax.experimental import aggregating

from mmpareto_jax._coordinatewise import Rule, coordinatewise
from mmpareto_jax._encoders import Encoder
from mmpareto_jax._gramian import accumulation_dtype
from mmpareto_jax._hyper_parameters import check


def trimmed_mean(
    encoders: Mapping[str, Encoder] | None = None,
    *,
    fraction: float = 0.2,
    num_objectives: int = 2,
) -> aggregating.Aggregator:
    r"""Average each coordinate without its extremes, which is robust against outliers.

    Of the K entries of a coordinate, the :math:`\lfloor \beta K \rfloor` smallest and as many
    largest are left out, and the rest are averaged. The method is meant for many objectives: with
    fewer than :math:`1 / \beta` nothing is left out, and the update is the mean.

    It works coordinate by coordinate, so it is an aggregator and not a weighting.

    Args:
      encoders: Encoders by name. By default all parameters are one encoder, called "all".
      fraction: :math:`\beta`, in [0, 1/2). 0.2 by default.
      num_objectives: The number of objectives where ``encoders`` is None. 2 by default.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``; see :func:`~mmpareto_jax.aggregate` for how
      to chain it.

    Raises:
      ValueError: If ``fraction`` is not in [0, 1/2).

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> tx = mmp.trimmed_mean(num_objectives=5)
      >>> grads = jnp.array([[1.0], [2.0], [3.0], [4.0], [99.0]])
      >>> print(tx.update(grads, tx.init(jnp.zeros(1)))[0])
      [3.]

    References:
      Yin et al., `Byzantine-robust distributed learning <https://arxiv.org/abs/1803.01498>`_, 2018,
      Definition 2.
    """
    check("fraction", fraction, "in [0, 1/2)", lambda fraction: 0 <= fraction < 0.5)

    def make(num_objectives: int) -> Rule:
        trim = _trimmed(fraction, num_objectives)

        def rule(gradients: jax.Array, key: jax.Array) -> jax.Array:
            del key
            places = jnp.arange(num_objectives, dtype=jnp.int32).reshape(
                -1, *[1] * (gradients.ndim - 1)
            )
            inside = (places >= trim) & (places < num_objectives - trim)
            total = jnp.sum(jnp.where(inside, jnp.sort(gradients, axis=0), 0), axis=0)
            return total / (num_objectives - 2 * trim).astype(gradients.dtype)

        return rule

    return coordinatewise(make, encoders, num_objectives)


def _trimmed(fraction: Any, num_objectives: int) -> jax.Array:
    """Return how many of K entries are left out at each end: a fraction of K, rounded down, int32.

    The fraction itself is rounded, so a product that is a whole number to working precision counts
    as that number: a fraction of 0.29 leaves out 29 of 100 entries.

    Args:
      fraction: A number in [0, 1/2), which may be traced.
      num_objectives: The number K of entries; at least one of them is always kept.
    """
    given = jnp.real(fraction) if isinstance(fraction, jax.Array) else jnp.asarray(float(fraction))
    precision = float(jnp.finfo(given.dtype).eps)
    share = given.astype(accumulation_dtype([given])) * num_objectives
    whole = jnp.floor(share * (1 + 2 * precision)).astype(jnp.int32)
    return jnp.minimum(whole, (num_objectives - 1) // 2)
