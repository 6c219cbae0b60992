"""What a run carries from step to step."""

from typing import Any, NamedTuple

import jax
import optax


class TrainState(NamedTuple):
    """Everything that a step changes or depends on; all of it goes into a checkpoint."""

    step: jax.Array  # () int32, steps taken, and with them the position in the data
    key: jax.Array  # [2] uint32, from which the order of the samples and dropout are drawn
    params: Any
    batch_stats: Any
    method: Any  # what the method carries
    opt_state: tuple[optax.OptState, optax.OptState]  # of the aggregator and of SGD
