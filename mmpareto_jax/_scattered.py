"""Averages over data-parallel devices, with the work in between done on shards.

``shard_map`` tracks by default which values vary from device to device, and sums the gradient of a
value that does not over all devices; with ``check_vma=False``, and in ``pmap``, it knows nothing of
this and leaves every device the gradient of its own copy. What is here gives the same under both.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from mmpareto_jax._encoders import quoted

AxisName = str | tuple[str, ...]


def axis_names(axis_name: AxisName | None) -> tuple[str, ...]:
    """Return the names of no axis, of one or of several, as a tuple."""
    if axis_name is None:
        return ()
    return (axis_name,) if isinstance(axis_name, str) else tuple(axis_name)


def check_disjoint(axis_name: AxisName | None, average_over: AxisName | None) -> None:
    """Raise ``ValueError`` for an axis both of sharded parameters and of data parallelism."""
    both = set(axis_names(axis_name)) & set(axis_names(average_over))
    if both:
        raise ValueError(
            f"axis_name and average_over share {min(both)!r}: parameters are sharded over an axis, "
            "or whole on each of its devices"
        )


def apart(tree: Any, axis_name: AxisName | None) -> Any:
    """Make values each device's own, so that their gradients are not summed over devices."""
    axes = tuple(axis for axis in axis_names(axis_name) if _is_tracked(axis))
    if not axes:
        return tree
    return jax.tree.map(lambda leaf: _apart(jnp.asarray(leaf), axes), tree)


def _apart(leaf: jax.Array, axes: tuple[str, ...]) -> jax.Array:
    return jax.lax.select(jax.lax.axis_index(axes) < 0, leaf, leaf)  # varies as the index does


def _is_tracked(axis: str) -> bool:
    """Return whether JAX knows here which values vary over the axis."""
    try:
        index = jax.lax.axis_index(axis)
    except NameError:
        raise ValueError(
            f"{axis!r} is no mapped axis here: name one of the shard_map or pmap around this; "
            "under jit alone none is needed"
        ) from None
    return jax.typeof(index) != jax.typeof(jnp.zeros((), index.dtype))


def own_axes(leaf: Any, axis_name: AxisName | None, *, untracked: bool) -> tuple[str, ...]:
    """Return the axes over which each device has its own value, such as its shard of a parameter.

    Args:
      leaf: The value.
      axis_name: The axes in question.
      untracked: What to take a value for where JAX does not know.
    """
    return tuple(
        axis
        for axis in axis_names(axis_name)
        if (
            jax.typeof(leaf) == jax.typeof(_apart(leaf, (axis,)))
            if _is_tracked(axis)
            else untracked
        )
    )


def sum_over_shards(
    gramian: jax.Array, gradient: jax.Array, axis_name: AxisName | None, *, untracked: bool = True
) -> jax.Array:
    """Sum the Gramians of the shards of a tensor's gradients over the devices that have them."""
    axes = own_axes(gradient, axis_name, untracked=untracked)
    return jax.lax.psum(gramian, axes) if axes else gramian


def average_gradients(
    grads: Any, primals: Any, axis_name: AxisName | None, *, untracked: bool = False
) -> Any:
    """Return the gradients of the mean of all devices' losses.

    Args:
      grads: On each device the gradients of the sum of all devices' losses with respect to its own
        copy of the values, put :func:`apart`; each leaf may have a further leading axis.
      primals: The values, of the same structure. Where they are the same on all devices the
        gradients are averaged, where they are each device's own these are gradients of all losses.
      axis_name: The mapped axis, or axes, of the devices; None for one device.
      untracked: As in :func:`own_axes`; by default all devices have the same.

    Returns:
      Gradients that are each device's own, or the same on all, as ``primals`` is.
    """
    axes = axis_names(axis_name)
    if not axes:
        return grads

    def average(primal: Any, grad: jax.Array) -> jax.Array:
        own = own_axes(primal, axes, untracked=untracked)
        shared = tuple(axis for axis in axes if axis not in own)
        grad = jax.lax.pmean(grad, shared) if shared else grad
        return grad / jax.lax.axis_size(own) if own else grad

    return jax.tree.map(average, primals, grads)


def average_values(values: Any, axis_name: AxisName | None) -> Any:
    """Return the means over devices of a tree of values."""
    return values if axis_name is None else jax.lax.pmean(values, axis_name)


def check_local(grads: Any, axis_name: AxisName | None) -> None:
    """Raise ``ValueError`` for a gradient that JAX has summed over the devices already."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(grads):
        for axis in axis_names(axis_name):
            if not own_axes(leaf, axis, untracked=True):
                raise ValueError(
                    f"average_over={axis!r}: the gradient of {quoted(path)} is the same on all "
                    "devices: shard_map has summed it; give average_over to "
                    "value_and_objective_grads instead, or check_vma=False to shard_map"
                )


def reduce_scatter(stack: jax.Array, axis_name: AxisName | None) -> jax.Array:
    """Return this device's shard of the mean over devices of one tensor's K gradients.

    Args:
      stack: This device's gradients, ``[K, *shape]``.
      axis_name: The mapped axis, or axes, of n devices; None for one device.

    Returns:
      Array ``[K, ceil(P / n)]``, P the size of ``shape``; the last shard is filled up with zeros.
      For one device ``stack`` as it is.
    """
    if axis_name is None:
        return stack
    devices = jax.lax.axis_size(axis_name)
    flat = jnp.reshape(stack, (stack.shape[0], -1))
    padded = jnp.pad(flat, ((0, 0), (0, -flat.shape[1] % devices)))
    return jax.lax.psum_scatter(padded, axis_name, scatter_dimension=1, tiled=True) / devices


def all_gather(shard: jax.Array, shape: tuple[int, ...], axis_name: AxisName | None) -> jax.Array:
    """Gather the shards ``[ceil(P / n)]`` of all devices into a tensor of a given shape."""
    if axis_name is None:
        return shard
    whole = jax.lax.all_gather(shard, axis_name, tiled=True, to="invarying")
    return jnp.reshape(whole[: math.prod(shape)], shape)


def average(axis_name: AxisName | None) -> optax.GradientTransformation:
    """Return a transformation that averages whole gradients over devices."""

    def update(updates: optax.Updates, state: Any, params: optax.Params | None = None) -> Any:
        del params
        check_local(updates, axis_name)
        return average_values(updates, axis_name), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
