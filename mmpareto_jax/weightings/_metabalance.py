"""MetaBalance: gradients scaled towards the norm of the first objective's gradient."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax.solvers import root
from mmpareto_jax.weightings._weighting import Weighting


class MetaBalanceState(NamedTuple):
    """State of :func:`metabalance`: the running means of the gradients' norms.

    Attributes:
      norms: ``[K]``, zero at the start; their bias towards zero is not corrected.
    """

    norms: jax.Array


def metabalance(relax: float = 0.7, decay: float = 0.9) -> Weighting:
    r"""Bring the norms of auxiliary gradients towards that of the target gradient (MetaBalance).

    The first objective, by convention the joint loss, is the target; the others are auxiliary.
    With :math:`m_i` the running mean of :math:`|g_i|`,

    .. math:: w_1 = 1, \qquad w_i = r \frac{m_1}{m_i} + 1 - r .

    Gradients are both enlarged and reduced, which is the third of the paper's strategies. The paper
    applies the rule to each parameter tensor; here it is applied to each encoder.

    Args:
      relax: The relaxation factor r: 0 does not change the gradients, 1 gives all of them the same
        mean norm. 0.7 by default, as in the released code.
      decay: Weight of the old value in the running means, in [0, 1). 0.9 by default, as in the
        released code.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state is the running means.

    Raises:
      ValueError: If ``relax`` is not in [0, 1] or ``decay`` not in [0, 1).

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.metabalance()
      >>> print(weighting.update(jnp.diag(jnp.array([4.0, 1.0])), weighting.init(2))[0])
      [1.  1.7]

    References:
      He et al., `MetaBalance <https://arxiv.org/abs/2203.06801>`_, 2022, Algorithm 1.
    """
    check("relax", relax, "in [0, 1]", lambda relax: 0 <= relax <= 1)
    check("decay", decay, "in [0, 1)", lambda decay: 0 <= decay < 1)

    def init(num_objectives: int) -> MetaBalanceState:
        return MetaBalanceState(norms=jnp.zeros(num_objectives))

    def update(
        gramian: jax.Array, state: MetaBalanceState, **extra: Any
    ) -> tuple[jax.Array, MetaBalanceState]:
        del extra
        past = state.norms.astype(gramian.dtype)
        kept, share = (as_real(value, gramian.dtype) for value in (decay, relax))
        norms = kept * past + (1 - kept) * root(jnp.diagonal(gramian))
        unseen = norms == 0
        ratios = jnp.where(unseen, 1, norms[0] / jnp.where(unseen, 1, norms))
        weights = (share * ratios + (1 - share)).at[0].set(1)
        return weights, MetaBalanceState(norms.astype(state.norms.dtype))

    return Weighting(init, update)
