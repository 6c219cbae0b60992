"""Aggregators that work coordinate by coordinate, without a Gramian.

The real and the imaginary part of a complex entry are two coordinates.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.experimental import aggregating

from mmpareto_jax._encoders import Encoder
from mmpareto_jax._gramian import accumulation_dtype
from mmpareto_jax._partition import per_encoder

Rule = Callable[[jax.Array, jax.Array], jax.Array]
"""Function from K gradients ``[K, *shape]``, real and at least float32, and a random key to one
gradient ``[*shape]``."""


class CoordinatewiseState(NamedTuple):
    """State of one encoder in a coordinate-wise aggregator: the random key for its next step."""

    key: jax.Array  # [2] uint32


def coordinatewise(
    make: Callable[[int], Rule],
    encoders: Mapping[str, Encoder] | None,
    num_objectives: int,
    seed: int = 0,
) -> aggregating.Aggregator:
    """Return an aggregator that applies a rule to every tensor of every encoder.

    The rule gets the real and the imaginary part of a complex tensor one after the other. A
    coordinate at which any of the K gradients is not finite becomes NaN.

    Args:
      make: Function from the number K of objectives of an encoder to its :data:`Rule`, a function
        from gradients ``[K, *shape]`` and a random key to one gradient ``[*shape]``.
      encoders: Encoders by name, or None for one encoder of all parameters.
      num_objectives: The number of objectives where ``encoders`` is None.
      seed: Seed of the keys that are passed to the rule, one for each tensor and step.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``.
    """

    def aggregator(encoder: Encoder) -> aggregating.Aggregator:
        rule = make(len(encoder.objectives))

        def init(params: optax.Params) -> CoordinatewiseState:
            del params
            return CoordinatewiseState(key=jax.random.PRNGKey(seed))

        def update(
            updates: optax.Updates,
            state: CoordinatewiseState,
            params: optax.Params | None = None,
            **extra: Any,
        ) -> tuple[optax.Updates, CoordinatewiseState]:
            del params, extra
            gradients, structure = jax.tree.flatten(updates)
            key, *keys = jax.random.split(state.key, 1 + len(gradients))

            def combine(gradient: jax.Array, key: jax.Array) -> jax.Array:
                if jnp.iscomplexobj(gradient):
                    parts, keys = (gradient.real, gradient.imag), jax.random.split(key)
                    return jax.lax.complex(*map(combine, parts, keys))
                wide = gradient.astype(accumulation_dtype([gradient]))
                # A rule may ignore an entry; one that is not finite must still show in the result.
                sound = jnp.all(jnp.isfinite(wide), axis=0)
                return jnp.where(sound, rule(wide, key), jnp.nan).astype(jnp.result_type(gradient))

            combined = [combine(*each) for each in zip(gradients, keys, strict=True)]
            return jax.tree.unflatten(structure, combined), CoordinatewiseState(key)

        return aggregating.Aggregator(init, update)  # type: ignore[arg-type]

    return per_encoder(aggregator, encoders, num_objectives)
