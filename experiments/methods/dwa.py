"""Dynamic weight average (DWA): more weight for losses that fall slowly from epoch to epoch."""

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_loss


def dwa(config: Config) -> Method:
    """Train with DWA, whose losses are averaged over epochs as in its paper (Liu et al. 2019).

    Args:
      config: The configuration, of which nothing is used.
    """
    del config
    return Method(
        objectives=every_loss,
        encoder_objectives=lambda heads: heads,
        aggregator=lambda encoders, problem: mmp.aggregate(
            mmp.weightings.dwa(period=problem.steps_per_epoch), encoders
        ),
        trained_heads=lambda heads: heads,
    )
