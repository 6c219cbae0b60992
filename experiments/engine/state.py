"""The state of a training run, from step to step."""

from typing import Any, NamedTuple

import jax
import optax


class TrainState(NamedTuple):
    """The training state: all values that a step changes or depends on, apart from the data.

    Checkpoints contain all of it.
    """

    step: jax.Array  # () int32, the number of steps, which gives the position in the data
    key: jax.Array  # [2] uint32, for the order of the samples, dropout and the method
    params: Any  # a nested dict of arrays; "encoders" has those of each encoder by name
    batch_stats: Any  # a nested dict of arrays, empty for a model without batch normalization
    method: Any  # the state of the method, a tree of arrays
    opt_state: tuple[optax.OptState, optax.OptState]  # of the aggregator and of SGD
