"""MoCo: weights from running means of the objectives' gradients, which it tracks."""

import jax.numpy as jnp
import optax

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective


def moco(config: Config) -> Method:
    """Train with MoCo: running means of the gradients, then its weighting, at LibMTL's rates.

    Both together are the method of Fernando et al. (2023). The rate of the means is 0.5 at first
    and falls with the root of the step count.
    """
    del config
    return every_objective(
        lambda encoders: optax.chain(
            mmp.track_gradients(encoders, rate=lambda step: 0.5 / jnp.sqrt(step + 1)),
            mmp.aggregate(mmp.weightings.moco(), encoders),
        )
    )
