"""The coordinate-wise trimmed mean."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from optax.experimental import aggregating

from mmpareto_jax.coordinatewise import Rule, coordinatewise
from mmpareto_jax.encoders import Encoder


def trimmed_mean(
    encoders: Mapping[str, Encoder] | None = None,
    *,
    fraction: float = 0.2,
    num_objectives: int = 2,
) -> aggregating.Aggregator:
    r"""The mean of each coordinate without its extremes: robust against outlying gradients.

    Of the K entries of a coordinate the :math:`\lfloor \beta K \rfloor` smallest and as many
    largest are left out, and the rest is averaged. Meant for many objectives: with fewer than
    :math:`1 / \beta` nothing is left out, and the update is the mean.

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
    if not 0 <= fraction < 0.5:
        raise ValueError(f"fraction must be in [0, 1/2), got {fraction}")

    def make(num_objectives: int) -> Rule:
        trim = int(fraction * num_objectives)

        def rule(gradients: jax.Array, key: jax.Array) -> jax.Array:
            del key
            return jnp.mean(jnp.sort(gradients, axis=0)[trim : num_objectives - trim], axis=0)

        return rule

    return coordinatewise(make, encoders, num_objectives)
