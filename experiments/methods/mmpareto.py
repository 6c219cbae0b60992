"""MMPareto, as in the paper."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective


def mmpareto(config: Config) -> Method:
    """Train with MMPareto and the paper's rescaling, once per encoder (Algorithm 1)."""
    return every_objective(lambda encoders: mmp.mmpareto(encoders, gamma=config.gamma))
