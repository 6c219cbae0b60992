"""What a training method is."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import optax

from mmpareto_jax import Encoder

Losses = Mapping[str, jax.Array]


class Method(NamedTuple):
    """How a run uses the losses of a multimodal model.

    Attributes:
      objectives: From the model's losses, "joint" and one per modality, to the objectives that the
        method differentiates.
      encoder_objectives: For a modality, which of these train its encoder.
      aggregator: From the encoders by modality and the number of steps per epoch to the aggregator
        of their gradients, which is given the objectives' values as ``losses=``.
      trained_heads: For the modalities, the heads that the method trains; the accuracy of any
        other head means nothing.
    """

    objectives: Callable[[Losses], Losses]
    encoder_objectives: Callable[[str], tuple[str, ...]]
    aggregator: Callable[[Mapping[str, Encoder], int], optax.GradientTransformation]
    trained_heads: Callable[[tuple[str, ...]], tuple[str, ...]]


def every_objective(
    aggregator: Callable[[Mapping[str, Encoder]], optax.GradientTransformation],
) -> Method:
    """A method that differentiates each loss, and trains an encoder with the joint and its own."""
    return every_objective_by_epoch(lambda encoders, steps_per_epoch: aggregator(encoders))


def every_objective_by_epoch(
    aggregator: Callable[[Mapping[str, Encoder], int], optax.GradientTransformation],
) -> Method:
    """As :func:`every_objective`, of an aggregator that is told the number of steps per epoch."""
    return Method(
        objectives=dict,
        encoder_objectives=lambda modality: ("joint", modality),
        aggregator=aggregator,
        trained_heads=lambda modalities: ("joint", *modalities),
    )
