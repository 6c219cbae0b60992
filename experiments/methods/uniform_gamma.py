"""Uniform x gamma: MMPareto's magnitude without its direction."""

from experiments.config import Config
from experiments.methods._method import Method
from experiments.methods.uniform import scaled_sum


def uniform_gamma(config: Config) -> Method:
    """Train as the uniform baseline, with the encoders' gradient times gamma.

    This ablation shows how much of MMPareto's gain is due to the magnitude alone.

    Args:
      config: The configuration, of which gamma and ``diagnose`` are used.
    """
    return scaled_sum(config.gamma, config.diagnose)
