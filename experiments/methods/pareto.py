"""The conventional Pareto method."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective


def pareto(config: Config) -> Method:
    """Train with twice the min-norm weights (Sener & Koltun 2018; paper, Eq. 9)."""
    del config
    return every_objective(lambda encoders: mmp.aggregate(mmp.weightings.min_norm(), encoders))
