"""Types and functions that the strategies share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from mmpareto_jax._decision import EncoderState
from mmpareto_jax._scattered import AxisName, apart

Decide = Callable[[str, Sequence[jax.Array], Mapping[str, jax.Array]], EncoderState]
"""Function from an encoder's name, its gradients ``[K, *shape]`` and the losses to its new state,
which contains the weights."""


class Integrated(NamedTuple):
    """What a strategy computes from the losses in one step.

    Attributes:
      values: The losses by name.
      aux: The auxiliary output of the losses, or None if there is none.
      grads: The combined gradient, shaped like the parameters.
      states: The new state of each encoder, by name.
    """

    values: Mapping[str, jax.Array]
    aux: Any
    grads: Any
    states: dict[str, EncoderState]


def pullback(
    pushforward: Callable[..., Mapping[str, jax.Array]],
    primals: tuple[Any, ...],
    values: Mapping[str, jax.Array],
    names: Sequence[str],
    average_over: AxisName | None,
) -> Callable[[jax.Array], tuple[Any, ...]]:
    """Return a function from weights ``[N]`` to the gradient of the sum of N weighted losses.

    On the devices of ``average_over``, each device differentiates its own losses with respect to
    its own primals.

    Args:
      pushforward: The derivative of the losses, from ``jax.linearize``: a function from tangents of
        the primals to tangents of all losses by name.
      primals: The trees with respect to which the losses are differentiated.
      values: All losses by name, for their dtypes.
      names: The names of the N losses, in the order of the weights.
      average_over: Mapped axes of data parallelism; None for one device.

    Returns:
      A function whose result has one gradient for each tree of ``primals``.
    """

    def forward(*tangents: Any) -> list[jax.Array]:
        slopes = pushforward(*tangents)
        return [slopes[name] for name in names]

    transpose = jax.linear_transpose(forward, *primals)

    def pull(weights: jax.Array) -> tuple[Any, ...]:
        cotangents = [weights[i].astype(values[name].dtype) for i, name in enumerate(names)]
        return transpose(apart(cotangents, average_over))

    return pull


def select(labels: Sequence[str], name: str, leaves: Sequence[Any]) -> list[Any]:
    """Return the leaves with one label.

    Args:
      labels: The name of each leaf's encoder, or :data:`PLAIN` for a leaf in no encoder.
      name: The label to select.
      leaves: The leaves, in the order of ``labels``.
    """
    return [leaf for label, leaf in zip(labels, leaves, strict=True) if label == name]


def merge(labels: Sequence[str], parts: Mapping[str, Sequence[Any]]) -> list[Any]:
    """Put the leaves of all encoders back into one list, the inverse of :func:`select`.

    Args:
      labels: The name of each leaf's encoder, or :data:`PLAIN` for a leaf in no encoder.
      parts: For each label, its leaves in their order.

    Returns:
      All leaves, in the order of ``labels``.
    """
    remaining = {name: iter(leaves) for name, leaves in parts.items()}
    return [next(remaining[label]) for label in labels]
