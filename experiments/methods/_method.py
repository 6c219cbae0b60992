"""What a training method is."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import optax

from mmpareto_jax import Encoder

Losses = Mapping[str, jax.Array]


class Method(NamedTuple):
    """How a run uses the losses of the heads of a model.

    Attributes:
      objectives: From the losses, one per head, to the objectives that the method differentiates.
      encoder_objectives: From the heads that an encoder serves ("joint" and that of its modality,
        or those of all tasks) to the objectives that train it.
      aggregator: From the encoders by name and the number of steps per epoch to the aggregator of
        their gradients, which is given the objectives' values as ``losses=``.
      trained_heads: From all heads to those that the method trains; the scores of any other head
        mean nothing.
    """

    objectives: Callable[[Losses], Losses]
    encoder_objectives: Callable[[tuple[str, ...]], tuple[str, ...]]
    aggregator: Callable[[Mapping[str, Encoder], int], optax.GradientTransformation]
    trained_heads: Callable[[tuple[str, ...]], tuple[str, ...]]


def every_objective(
    aggregator: Callable[[Mapping[str, Encoder]], optax.GradientTransformation],
) -> Method:
    """A method that differentiates each loss, and trains an encoder with all that it serves."""
    return every_objective_by_epoch(lambda encoders, steps_per_epoch: aggregator(encoders))


def every_objective_by_epoch(
    aggregator: Callable[[Mapping[str, Encoder], int], optax.GradientTransformation],
) -> Method:
    """As :func:`every_objective`, of an aggregator that is told the number of steps per epoch."""
    return Method(
        objectives=dict,
        encoder_objectives=lambda heads: heads,
        aggregator=aggregator,
        trained_heads=lambda heads: heads,
    )
