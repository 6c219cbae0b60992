"""MMPareto as the code released with the paper computes it: rescaled tensor by tensor."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective


def mmpareto_released(config: Config) -> Method:
    """Train with MMPareto and the released code's rescaling, once per parameter tensor.

    The method ``mmpareto`` rescales once per encoder, as the paper says.

    Args:
      config: The configuration, of which gamma is used.
    """
    return every_objective(
        lambda encoders: mmp.mmpareto(encoders, gamma=config.gamma, rescale="leaf")
    )
