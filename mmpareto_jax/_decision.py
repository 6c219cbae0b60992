"""Compute the weights of one encoder's objectives from its Gramian, and keep them as its state."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._encoders import Encoder, dtype_of
from mmpareto_jax._gramian import accumulation_dtype
from mmpareto_jax.weightings import Weighting


class EncoderState(NamedTuple):
    """The Gramian and the weights of one encoder's last step, and the state of its weighting.

    Attributes:
      gramian: ``[K, K]``, inner products of the objectives' gradients, float32, or float64 for
        float64 parameters; zero before the first step.
      weights: ``[K]`` in the same dtype, the weights of the gradients; zero before the first step.
      weighting: The state that the weighting itself keeps, of any structure.
    """

    gramian: jax.Array
    weights: jax.Array
    weighting: Any


def initial_state(encoder: Encoder, weighting: Weighting, leaves: Sequence[Any]) -> EncoderState:
    """Return the state of an encoder before the first step, with Gramian and weights zero.

    Args:
      encoder: The encoder, for the number of its objectives.
      weighting: The weighting, whose ``init`` gives its part of the state.
      leaves: The encoder's parameters, for the dtype of the Gramian.
    """
    num_objectives = len(encoder.objectives)
    dtype = accumulation_dtype(leaves)
    return EncoderState(
        gramian=jnp.zeros((num_objectives, num_objectives), dtype),
        weights=jnp.zeros(num_objectives, dtype),
        # Copies, since a state that holds one buffer twice cannot be donated.
        weighting=jax.tree.map(jnp.copy, weighting.init(num_objectives)),
    )


def decide(
    encoder: Encoder,
    weighting: Weighting,
    gramian: jax.Array,
    state: EncoderState,
    **extra: Any,
) -> EncoderState:
    """Apply the weighting, and keep its old state if an input or a weight is not finite.

    Args:
      encoder: The encoder, for the names of its objectives.
      weighting: How the Gramian becomes weights.
      gramian: Inner products of the objectives' gradients, ``[K, K]``.
      state: The encoder's state after the last step.
      **extra: Keyword arguments for the weighting; ``losses`` is put in the encoder's order.

    Returns:
      The new state, which contains ``gramian`` and the weights, ``[K]``, finite or not.

    Raises:
      ValueError: If ``losses`` lacks an objective, or is not an array of shape ``[K]``, or if the
        weighting returns weights of another shape.
    """
    gramian = gramian.astype(state.gramian.dtype)
    if extra.get("losses") is not None:
        extra["losses"] = _in_order(extra["losses"], encoder).astype(gramian.dtype)
    weights, weighting_state = weighting.update(gramian, state.weighting, **extra)
    if jnp.shape(weights) != gramian.shape[:1]:
        raise ValueError(
            f"the weighting returned weights of shape {jnp.shape(weights)}, expected "
            f"{gramian.shape[:1]}, one for each objective"
        )
    sound = _all_finite((gramian, extra.get("losses"), weights))
    kept = jax.tree.map(partial(jnp.where, sound), weighting_state, state.weighting)
    return EncoderState(gramian, weights, kept)


def _all_finite(arrays: Any) -> jax.Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(array)) for array in jax.tree.leaves(arrays)]))


def _in_order(losses: Mapping[str, jax.Array] | jax.Array, encoder: Encoder) -> jax.Array:
    """Return the losses of the encoder's objectives, ``[K]``, in the order of its gradients.

    Args:
      losses: Scalar losses by name, which may include those of other encoders, or an array of shape
        ``[K]`` that is in this order already.
      encoder: The encoder, whose ``objectives`` are the names in order.

    Raises:
      ValueError: If an objective has no loss, or the losses are not real floating-point scalars.
    """
    if isinstance(losses, Mapping):
        missing = [name for name in encoder.objectives if name not in losses]
        if missing:
            raise ValueError(
                f"losses has no {missing[0]!r}, an objective of an encoder; it has "
                f"{', '.join(map(str, losses))}"
            )
        for name in encoder.objectives:
            if losses[name] is None:
                raise ValueError(f"losses[{name!r}] must be a real scalar, got None")
            dtype_of(losses[name], f"losses[{name!r}]")
            if jnp.shape(losses[name]) != ():
                raise ValueError(
                    f"losses[{name!r}] must be a real scalar, got shape {jnp.shape(losses[name])}"
                )
        losses = jnp.stack([jnp.asarray(losses[name]) for name in encoder.objectives])
    elif not isinstance(losses, Sequence) or isinstance(losses, str):
        dtype_of(losses, "losses")
    losses = jnp.asarray(losses)
    if not jnp.issubdtype(losses.dtype, jnp.floating):
        raise ValueError(f"losses must be real floating-point numbers, got {losses.dtype}")
    if losses.shape != (len(encoder.objectives),):
        raise ValueError(
            f"losses must be scalars by name or an array of shape ({len(encoder.objectives)},), "
            f"got shape {losses.shape}"
        )
    return losses
