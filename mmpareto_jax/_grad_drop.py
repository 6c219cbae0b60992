"""GradDrop: for each coordinate draw one sign at random, and drop gradients of the other sign.

The more the objectives agree on a sign at a coordinate, the likelier it is drawn. The gradients
with this sign are summed.
"""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from optax.experimental import aggregating

from mmpareto_jax._coordinatewise import Rule, coordinatewise
from mmpareto_jax._encoders import Encoder
from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax.weightings._weighting import PerObjective, per_objective


def grad_drop(
    encoders: Mapping[str, Encoder] | None = None,
    *,
    leak: float | PerObjective = 0.0,
    seed: int = 0,
    num_objectives: int = 2,
) -> aggregating.Aggregator:
    r"""Keep at each coordinate only the gradients of one randomly drawn sign, and sum them.

    A coordinate has the purity :math:`P = \tfrac12 (1 + \sum_i g_i / \sum_i |g_i|)`. U is drawn
    uniformly from [0, 1). Positive entries are kept if :math:`P > U`, negative entries if
    :math:`P < U`, and the result is

    .. math:: \sum_i (\ell_i + (1 - \ell_i) [g_i \text{ is kept}])\, g_i .

    Its expectation without leak is :math:`P \sum_i g_i^+ + (1 - P) \sum_i g_i^-`. The paper drops
    entries of the gradients of activations, summed over the batch. Here, as in LibMTL and TorchJD,
    entries of the gradients of parameters are dropped.

    It works coordinate by coordinate, so it is an aggregator and not a weighting.

    Args:
      encoders: Encoders by name. By default all parameters are one encoder, called "all".
      leak: :math:`\ell`, the share of a dropped entry that is added all the same: one number in
        [0, 1], or one for each objective. 0 by default, as in the paper's main experiments.
      seed: Seed of the random numbers U, which are drawn anew at each step for each coordinate. 0
        by default.
      num_objectives: The number of objectives where ``encoders`` is None. 2 by default.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``; see :func:`~mmpareto_jax.aggregate` for how
      to chain it. Its state is a random key.

    Raises:
      ValueError: If ``leak`` is not in [0, 1], or has neither one value nor one for each objective.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> tx = mmp.grad_drop()
      >>> params, grads = jnp.zeros(2), jnp.array([[1.0, -2.0], [2.0, -1.0]])
      >>> print(tx.update(grads, tx.init(params), params)[0])
      [ 3. -3.]

    References:
      Chen et al., `Just pick a sign <https://arxiv.org/abs/2010.06808>`_, 2020, Algorithm 1.
    """
    for share in leak if isinstance(leak, Sequence) else jnp.atleast_1d(leak):
        check("leak", share, "in [0, 1]", lambda share: 0 <= share <= 1)

    def make(num_objectives: int) -> Rule:
        values = jnp.asarray(leak)
        values = jnp.full(num_objectives, values) if values.ndim == 0 else values
        per_objective(values, "leak", num_objectives)

        def rule(gradients: jax.Array, key: jax.Array) -> jax.Array:
            total, size = jnp.sum(gradients, axis=0), jnp.sum(jnp.abs(gradients), axis=0)
            purity = (1 + total / jnp.where(size == 0, 1, size)) / 2
            margin = (purity - jax.random.uniform(key, purity.shape, purity.dtype))[None]
            kept = jnp.where(gradients > 0, margin > 0, margin < 0)
            share = as_real(values, gradients.dtype).reshape(-1, *[1] * purity.ndim)
            return jnp.sum(jnp.where(kept, 1, share) * gradients, axis=0)

        return rule

    return coordinatewise(make, encoders, num_objectives, seed)
