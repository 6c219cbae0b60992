"""First the Gramian, then the gradient of the weighted losses: the least memory."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax.encoders import PLAIN, Encoder, label_parameters
from mmpareto_jax.strategies._strategy import (
    Decide,
    merge,
    pullback,
    select,
    total_gramian,
)


def two_pass(
    losses: Callable[..., Any], encoders: Mapping[str, Encoder], decide: Decide
) -> Callable[..., Any]:
    """The Gramian tensor by tensor, and then a backward pass of the weighted losses.

    Exact. The objectives of an encoder are pulled back together, layer by layer, so that the K
    gradients of a tensor are there at once and only their inner products stay. The second pass
    pulls back the losses with the weights found: one more backward pass per encoder, and memory
    for one gradient.

    Args:
      losses: From parameters to losses by name and auxiliary output.
      encoders: Encoders by name.
      decide: From an encoder's Gramian to its weights.

    Returns:
      From parameters to losses, auxiliary output, the integrated gradient and new states.
    """

    def integrated(params: Any) -> Any:
        values, pushforward, aux = jax.linearize(losses, params, has_aux=True)
        structure = jax.tree.structure(params)
        labels = jax.tree.leaves(label_parameters(params, encoders))

        def leaves_of(name: str, pull: Callable[[jax.Array], Any], weights: jax.Array) -> list[Any]:
            return select(labels, name, jax.tree.leaves(pull(weights)[0]))

        everything = pullback(pushforward, (params,), values, tuple(values))
        parts = {PLAIN: leaves_of(PLAIN, everything, jnp.ones(len(values)))}
        states = {}
        for name, encoder in encoders.items():
            pull = pullback(pushforward, (params,), values, encoder.objectives)
            rows = jax.vmap(lambda weights, name=name, pull=pull: leaves_of(name, pull, weights))(
                jnp.eye(len(encoder.objectives))
            )
            states[name] = decide(name, total_gramian(rows), values)
            parts[name] = leaves_of(name, pull, states[name].weights)
        return values, aux, jax.tree.unflatten(structure, merge(labels, parts)), states

    return integrated
