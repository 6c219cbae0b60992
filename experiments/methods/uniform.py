"""The uniform baseline: all losses summed."""

import jax.numpy as jnp

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective


def uniform(config: Config) -> Method:
    """Trains on the sum of the joint and the unimodal losses (paper, Eq. 1 and 6)."""
    return scaled_sum(1.0, config.diagnose)


def scaled_sum(scale: float, diagnose: bool) -> Method:
    """Trains on the sum of all losses, the encoders' gradient times ``scale``.

    The sum is one objective and takes one backward pass. To ``diagnose``, the losses are
    differentiated one by one and then added: the same update, and their conflict is known.
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
