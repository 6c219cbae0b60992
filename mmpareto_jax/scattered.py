"""Averages over data-parallel devices, with the work in between done on shards."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

AxisName = str | tuple[str, ...]


def reduce_scatter(stack: jax.Array, axis_name: AxisName) -> jax.Array:
    """This device's shard of the mean over devices of one tensor's K gradients.

    Args:
      stack: This device's gradients, ``[K, *shape]``.
      axis_name: The mapped axis, or axes, of n devices.

    Returns:
      Array ``[K, ceil(P / n)]``, P the size of ``shape``; the last shard is filled up with zeros.
    """
    devices = jax.lax.axis_size(axis_name)
    flat = jnp.reshape(stack, (stack.shape[0], -1))
    padded = jnp.pad(flat, ((0, 0), (0, -flat.shape[1] % devices)))
    return jax.lax.psum_scatter(padded, axis_name, scatter_dimension=1, tiled=True) / devices


def all_gather(shard: jax.Array, shape: tuple[int, ...], axis_name: AxisName) -> jax.Array:
    """The whole of a tensor of this shape, from the shards ``[ceil(P / n)]`` of all devices."""
    whole = jax.lax.all_gather(shard, axis_name, tiled=True)
    return jnp.reshape(whole[: math.prod(shape)], shape)


def average(axis_name: AxisName) -> optax.GradientTransformation:
    """The mean of whole gradients over devices."""

    def update(updates: optax.Updates, state: Any, params: optax.Params | None = None) -> Any:
        del params
        return jax.lax.pmean(updates, axis_name), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
