"""What the strategies share."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax

from mmpareto_jax.decision import EncoderState
from mmpareto_jax.scattered import AxisName, apart

Decide = Callable[[str, Sequence[jax.Array], Mapping[str, jax.Array]], EncoderState]
"""From an encoder's name, its gradients, tensors ``[K, *shape]``, and the losses to its new state,
with the weights in it."""


def pullback(
    pushforward: Callable[..., Mapping[str, jax.Array]],
    primals: tuple[Any, ...],
    values: Mapping[str, jax.Array],
    names: Sequence[str],
    average_over: AxisName | None,
) -> Callable[[jax.Array], tuple[Any, ...]]:
    """The gradient of a weighted sum of some losses, as a function of their weights ``[N]``.

    Each device of ``average_over`` pulls its own losses back to its own primals.
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
    """The leaves of one encoder."""
    return [leaf for label, leaf in zip(labels, leaves, strict=True) if label == name]


def merge(labels: Sequence[str], parts: Mapping[str, Sequence[Any]]) -> list[Any]:
    """All leaves in their order, from those of each encoder."""
    remaining = {name: iter(leaves) for name, leaves in parts.items()}
    return [next(remaining[label]) for label in labels]
