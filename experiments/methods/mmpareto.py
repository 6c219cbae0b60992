"""MMPareto as the paper describes it: rescaled once per encoder."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective


def mmpareto(config: Config) -> Method:
    """Train with MMPareto and the paper's rescaling, once per encoder (Algorithm 1).

    The method ``mmpareto-released`` rescales each parameter tensor, as the released code does.

    Args:
      config: The configuration, of which gamma is used.
    """
    return every_objective(lambda encoders: mmp.mmpareto(encoders, gamma=config.gamma))
