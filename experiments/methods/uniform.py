"""The uniform baseline: the sum of all losses."""

import jax.numpy as jnp

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective


def uniform(config: Config) -> Method:
    """Train on the sum of the joint and the unimodal losses (MMPareto paper, Eq. 1 and 6).

    Args:
      config: The configuration, of which ``diagnose`` is used.
    """
    return scaled_sum(1.0, config.diagnose)


def scaled_sum(scale: float, diagnose: bool) -> Method:
    """Train on the sum of all losses, with the encoders' gradient times ``scale``.

    The sum is one objective and takes one backward pass.

    Args:
      scale: The factor of the encoders' gradient; heads are trained without it.
      diagnose: Whether to differentiate the losses one by one and then add their gradients, which
        gives the same update and measures the conflict.
    """
    method = every_objective(
        lambda encoders: mmp.aggregate(mmp.weightings.uniform(scale), encoders)
    )
    if diagnose:
        return method
    return method._replace(
        objectives=lambda forward, state: (
            {"sum": sum(forward.losses.values(), jnp.zeros(()))},
            (),
        ),
        encoder_objectives=lambda heads: ("sum",),
    )
