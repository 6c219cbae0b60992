"""What a training method is."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import optax

from experiments.data import Batch
from mmpareto_jax import Encoder

Losses = Mapping[str, jax.Array]

Representations = Mapping[str, jax.Array]
"""By encoder, the arrays that the heads read, with a leading axis of B samples."""

State = Any
"""What a method carries from step to step: any tree of arrays. It goes into checkpoints."""

Signals = Any
"""What a method computes in the forward pass for use after the backward pass: any tree."""


BeforeEpoch = Callable[
    [State, optax.OptState, Mapping[str, Any], jax.Array], tuple[State, optax.OptState]
]


class Problem(NamedTuple):
    """What a run trains.

    Attributes:
      heads: The heads of the model: "joint" and the modalities, or the tasks.
      encoders: The encoders by name, and for each the heads that it serves.
      outputs: The number of outputs of each head.
      features: The shape of one sample's representation, by encoder.
      steps_per_epoch: Full batches in the training set.
      epochs: The epochs of the run.
    """

    heads: tuple[str, ...]
    encoders: Mapping[str, tuple[str, ...]]
    outputs: Mapping[str, int]
    features: Mapping[str, tuple[int, ...]]
    steps_per_epoch: int
    epochs: int


class Pass(NamedTuple):
    """A forward pass over a batch.

    Attributes:
      batch: The batch.
      representations: Of the encoders.
      outputs: By head.
      losses: By head, each the mean over the batch.
      classify: From other representations to the outputs of the same heads.
    """

    batch: Batch
    representations: Representations
    outputs: Mapping[str, jax.Array]
    losses: Losses
    classify: Callable[[Representations], Mapping[str, jax.Array]]


class Method(NamedTuple):
    """How a run trains: with which losses, integrated how, and what happens in between.

    Everything is pure and runs inside a jitted program. Only the first four have to be given.

    Attributes:
      objectives: From a pass and the method's state to the objectives that are differentiated, and
        signals for later.
      encoder_objectives: From the heads that an encoder serves to the objectives that train it.
      aggregator: From the encoders by name and the problem to the aggregator of their gradients,
        which is given the objectives' values as ``losses=``.
      trained_heads: From all heads to those that the method trains; the scores of any other head
        mean nothing.
      init: From the problem to the state before the first step. Raises UserError if the method
        does not fit the problem.
      modulate: From the integrated gradients of all parameters, the signals, the state and a random
        key to the gradients that the optimizer is given.
      after_step: From the state, the signals, the objectives' gradients and the parameters, both as
        they were in the step, to the next state.
      held_out: The share of the training set that is kept out of training, as split "held-out".
      splits: From the number of an epoch, from 0, to the splits over which ``before_epoch`` needs
        sums before that epoch: "train", "held-out" or none.
      sums: From a pass and which samples count, bool ``[B]``, to sums over the counted samples,
        which are added up over a split.
      before_epoch: From the state, the optimizer's state, the sums by split and the number of the
        epoch to both states; None if nothing happens between epochs.
    """

    objectives: Callable[[Pass, State], tuple[Losses, Signals]]
    encoder_objectives: Callable[[tuple[str, ...]], tuple[str, ...]]
    aggregator: Callable[[Mapping[str, Encoder], Problem], optax.GradientTransformation]
    trained_heads: Callable[[tuple[str, ...]], tuple[str, ...]]
    init: Callable[[Problem], State] = lambda problem: ()
    modulate: Callable[[Any, Signals, State, jax.Array], Any] = (
        lambda gradients, signals, state, key: gradients
    )
    after_step: Callable[[State, Signals, Any, Any], State] = (
        lambda state, signals, gradients, params: state
    )
    held_out: float = 0.0
    splits: Callable[[int], tuple[str, ...]] = lambda epoch: ()
    sums: Callable[[Pass, jax.Array], Any] = lambda forward, counted: ()
    before_epoch: BeforeEpoch | None = None


def every_loss(forward: Pass, state: State) -> tuple[Losses, Signals]:
    """Return the losses of all heads, each an objective, and no signals."""
    del state
    return dict(forward.losses), ()


def every_objective(
    aggregator: Callable[[Mapping[str, Encoder]], optax.GradientTransformation],
) -> Method:
    """Make a method that trains an encoder with the gradients of all losses that it serves."""
    return Method(
        objectives=every_loss,
        encoder_objectives=lambda heads: heads,
        aggregator=lambda encoders, problem: aggregator(encoders),
        trained_heads=lambda heads: heads,
    )
