"""Dynamic weight average, with epochs as its periods."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective_by_epoch


def dwa(config: Config) -> Method:
    """Averages the losses over an epoch, as in the paper (Liu et al. 2019)."""
    del config
    return every_objective_by_epoch(
        lambda encoders, steps_per_epoch: mmp.aggregate(
            mmp.weightings.dwa(period=steps_per_epoch), encoders
        )
    )
