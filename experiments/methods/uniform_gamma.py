"""Uniform x gamma: MMPareto's magnitude without its direction."""

from experiments.config import Config
from experiments.methods._method import Method
from experiments.methods.uniform import scaled_sum


def uniform_gamma(config: Config) -> Method:
    """Return the uniform baseline with the encoders' gradient times gamma.

    The ablation that tells how much of MMPareto's gain is the magnitude alone.
    """
    return scaled_sum(config.gamma, config.diagnose)
