"""The conventional Pareto method: the shortest convex combination of an encoder's gradients."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective


def pareto(config: Config) -> Method:
    """Train each encoder with its gradients' min-norm combination, times their number.

    The weights of two objectives sum to two, as those of the uniform baseline do. This is the
    method of Sener & Koltun (2018), in the form of the MMPareto paper (Eq. 9).

    Args:
      config: The configuration, of which nothing is used.
    """
    del config
    return every_objective(lambda encoders: mmp.aggregate(mmp.weightings.min_norm(), encoders))
