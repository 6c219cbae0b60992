"""MMPareto, as in the code released with the paper."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective


def mmpareto_released(config: Config) -> Method:
    """Train with MMPareto and the released code's rescaling, once per parameter tensor."""
    return every_objective(
        lambda encoders: mmp.mmpareto(encoders, gamma=config.gamma, rescale="leaf")
    )
