"""DualProj: the mean gradient (by default), projected onto directions that harm no objective."""

from mmpareto_jax.solvers import dual_cone_weights
from mmpareto_jax.weightings._weighting import PerObjective, Weighting, with_preference


def dual_proj(preference: PerObjective | None = None) -> Weighting:
    r"""Project the preferred combination onto the directions that harm no objective (DualProj).

    The update is the vector nearest to :math:`G^\top u = \sum_i u_i g_i` that has no negative inner
    product with any gradient :math:`g_i`. This is the projection of gradient episodic memory (GEM),
    for all objectives.

    Args:
      preference: The weights u of the preferred combination, ``[K]``. :math:`1 / K` each by
        default, the mean gradient.

    Returns:
      A :class:`~mmpareto_jax.Weighting` without state, whose weights are at least u.

    Raises:
      ValueError: From ``init``, if ``preference`` does not have K entries.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> gramian = jnp.array([[1.0, -2.0], [-2.0, 16.0]])
      >>> weighting = mmp.weightings.dual_proj(preference=[1.0, 1.0])
      >>> weights, _ = weighting.update(gramian, weighting.init(2))
      >>> print(weights, gramian @ weights)  # the sum would have the products -1 and 14
      [2. 1.] [ 0. 12.]

    References:
      Lopez-Paz & Ranzato, `Gradient episodic memory for continual learning
      <https://arxiv.org/abs/1706.08840>`_, 2017;
      Quinton & Rey, `Jacobian descent for multi-objective optimization
      <https://arxiv.org/abs/2406.16232>`_, 2024, Section 3 ("DualProj").
    """
    return with_preference(dual_cone_weights, preference)
