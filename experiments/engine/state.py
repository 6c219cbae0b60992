"""The state of a run."""

from typing import Any, NamedTuple

import jax
import optax


class TrainState(NamedTuple):
    """Everything that a step changes or depends on; checkpoints contain all of it."""

    step: jax.Array  # () int32, the number of steps, which gives the position in the data
    key: jax.Array  # [2] uint32, for the order of the samples, dropout and the method
    params: Any
    batch_stats: Any
    method: Any  # the state of the method
    opt_state: tuple[optax.OptState, optax.OptState]  # of the aggregator and of SGD
