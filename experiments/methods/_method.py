"""The type of a training method, and helper functions to make one."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import optax

from experiments.data import Batch
from mmpareto_jax import Encoder

Losses = Mapping[str, jax.Array]

Representations = Mapping[str, jax.Array]
"""By encoder, the array that the heads read, with a leading axis of B samples."""

State = Any
"""The state of a method from step to step, any tree of arrays. It is saved in checkpoints."""

Signals = Any
"""Values from the forward pass that a method uses after the backward pass, any tree."""


BeforeEpoch = Callable[
    [State, optax.OptState, Mapping[str, Any], jax.Array], tuple[State, optax.OptState]
]


class Problem(NamedTuple):
    """The model and the length of a run.

    Attributes:
      heads: The heads of the model: "joint" and the modalities, or the tasks.
      encoders: The heads that each encoder serves, by name of the encoder.
      outputs: The number of outputs of each head.
      features: The shape of one sample's representation, by encoder.
      steps_per_epoch: The number of full batches in the training set.
      epochs: The number of epochs of the run.
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
      batch: The batch: by field, an array with a leading axis of B samples.
      representations: The representations by encoder, with a leading axis of B samples.
      outputs: The outputs by head, with a leading axis of B samples; of a classification the
        logits ``[B, classes]``.
      losses: The losses by head, scalars, each the mean over the batch.
      classify: Function of other representations that returns the outputs of the same heads.
    """

    batch: Batch
    representations: Representations
    outputs: Mapping[str, jax.Array]
    losses: Losses
    classify: Callable[[Representations], Mapping[str, jax.Array]]


class Method(NamedTuple):
    """A training method: its objectives, the combination of their gradients, and its state.

    All functions are pure and run inside a jitted program. Only the first four are required.

    Attributes:
      objectives: Function of a pass and the method's state that returns the objectives to
        differentiate, and signals for later.
      encoder_objectives: Function of the heads that an encoder serves that returns the objectives
        that train it.
      aggregator: Function of the encoders by name and the problem that returns the aggregator of
        their gradients. The aggregator gets the objectives' values as ``losses=``.
      trained_heads: Function of all heads that returns those that the method trains. The scores of
        other heads have no meaning.
      init: Function of the problem that returns the state before the first step. It raises a
        UserError if the method does not fit the problem.
      modulate: Function of the integrated gradients of all parameters, the signals, the state and a
        random key that returns the gradients for the optimizer.
      after_step: Function of the state, the signals, the objectives' gradients and the parameters,
        all as they were in the step, that returns the next state.
      held_out: The share of the training set that is not trained on. It is split "held-out".
      splits: Function of the number of an epoch, from 0, that returns the splits over which
        ``before_epoch`` needs sums before that epoch: "train", "held-out" or none.
      sums: Function of a pass and of which samples count, bool ``[B]``, that returns sums over the
        counted samples. The sums are added up over a split.
      before_epoch: Function of the state, the optimizer's state, the sums by split and the number
        of the epoch that returns both states; None if nothing happens between epochs.
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
    """Return the losses of all heads as objectives, and no signals.

    This is the function ``objectives`` of most methods.
    """
    del state
    return dict(forward.losses), ()


def every_objective(
    aggregator: Callable[[Mapping[str, Encoder]], optax.GradientTransformation],
) -> Method:
    """Make a method that trains each encoder with the losses of all heads that it serves.

    Args:
      aggregator: Function of the encoders by name that returns the aggregator of their gradients.
    """
    return Method(
        objectives=every_loss,
        encoder_objectives=lambda heads: heads,
        aggregator=lambda encoders, problem: aggregator(encoders),
        trained_heads=lambda heads: heads,
    )
