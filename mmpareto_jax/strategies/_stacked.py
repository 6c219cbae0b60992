"""The strategy "stacked": all K gradients of an encoder are in memory, then combined."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from mmpareto_jax._encoders import PLAIN, Encoder, label_parameters
from mmpareto_jax._gradients import value_and_objective_grads
from mmpareto_jax._gramian import combine
from mmpareto_jax._scattered import AxisName
from mmpareto_jax.strategies._strategy import Decide, Integrated, merge, select


def stacked(
    losses: Callable[..., Any],
    encoders: Mapping[str, Encoder],
    decide: Decide,
    average_over: AxisName | None,
) -> Callable[[Any], Integrated]:
    """Stack the objectives' gradients, and combine them by the weights of their Gramian.

    This is exact. It takes one backward pass per loss through the part that the loss depends on.
    Until they are combined, the gradients of an encoder take K times the memory of its parameters.

    Args:
      losses: Function from parameters to the losses by name and auxiliary output.
      encoders: Encoders by name.
      decide: Function from an encoder's name, its gradients ``[K, *shape]`` and the losses by name
        to its new state, which contains the weights.
      average_over: Mapped axes of data parallelism; None for one device.

    Returns:
      A function from parameters to :class:`Integrated`.
    """
    compute = value_and_objective_grads(losses, encoders, has_aux=True, average_over=average_over)

    def integrated(params: Any) -> Integrated:
        (values, aux), grads = compute(params)
        leaves, structure = jax.tree.flatten(grads)
        labels = jax.tree.leaves(label_parameters(params, encoders))
        states, parts = {}, {PLAIN: select(labels, PLAIN, leaves)}
        for name in encoders:
            own = select(labels, name, leaves)
            states[name] = decide(name, own, values)
            parts[name] = [combine(states[name].weights, tensor) for tensor in own]
        grads = jax.tree.unflatten(structure, merge(labels, parts))
        return Integrated(values, aux, grads, states)

    return integrated
