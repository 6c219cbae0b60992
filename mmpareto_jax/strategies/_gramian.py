"""The strategy "gramian": first the Gramian, then one gradient, with the least memory."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax._encoders import PLAIN, Encoder, label_parameters
from mmpareto_jax._scattered import AxisName, apart, average_gradients, average_values
from mmpareto_jax.strategies._strategy import Decide, Integrated, merge, pullback, select


def gramian(
    losses: Callable[..., Any],
    encoders: Mapping[str, Encoder],
    decide: Decide,
    average_over: AxisName | None,
) -> Callable[[Any], Integrated]:
    """Compute the Gramian tensor by tensor, and then the gradient of the weighted losses.

    This is exact. The backward passes of an encoder's objectives run together, layer by layer, so
    that the K gradients of a tensor exist at the same time and only their inner products are kept.
    A second pass computes the gradient of the weighted losses. This takes one more backward pass
    per encoder, and memory for one gradient.

    Args:
      losses: Function from parameters to the losses by name and auxiliary output.
      encoders: Encoders by name.
      decide: Function from an encoder's name, its gradients ``[K, *shape]`` and the losses by name
        to its new state, which contains the weights.
      average_over: Mapped axes of data parallelism; None for one device.

    Returns:
      A function from parameters to :class:`Integrated`.
    """

    def integrated(params: Any) -> Integrated:
        own = apart(params, average_over)
        values, pushforward, aux = jax.linearize(losses, own, has_aux=True)
        structure = jax.tree.structure(params)
        labels = jax.tree.leaves(label_parameters(params, encoders))
        leaves = jax.tree.leaves(params)

        def pull_of(names: Sequence[str]) -> Callable[[jax.Array], tuple[Any, ...]]:
            return pullback(pushforward, (own,), values, names, average_over)

        def leaves_of(name: str, pull: Callable[[jax.Array], Any], weights: jax.Array) -> list[Any]:
            return select(labels, name, jax.tree.leaves(pull(weights)[0]))

        def averaged(name: str, grads: list[Any]) -> list[Any]:
            return average_gradients(grads, select(labels, name, leaves), average_over)

        plain = leaves_of(PLAIN, pull_of(tuple(values)), jnp.ones(len(values)))
        parts = {PLAIN: averaged(PLAIN, plain)}
        states, means = {}, average_values(values, average_over)
        for name, encoder in encoders.items():
            pull = pull_of(encoder.objectives)
            rows = jax.vmap(lambda weights, name=name, pull=pull: leaves_of(name, pull, weights))(
                jnp.eye(len(encoder.objectives))
            )
            states[name] = decide(name, averaged(name, rows), means)
            parts[name] = averaged(name, leaves_of(name, pull, states[name].weights))
        grads = jax.tree.unflatten(structure, merge(labels, parts))
        return Integrated(means, aux, grads, states)

    return integrated
