"""Averages over data-parallel devices, and the exchange of shards of gradients.

By default, ``shard_map`` tracks which values vary from device to device. It sums, over all devices,
the gradient of a value that does not vary. ``pmap``, and ``shard_map`` with ``check_vma=False``, do
not track this: every device keeps the gradient of its own copy. The functions of this module give
the same results in both cases.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
import optax

from mmpareto_jax._encoders import quoted

AxisName = str | tuple[str, ...]
"""Name of a mapped axis of devices, of ``shard_map`` or ``pmap``, or a tuple of such names."""


def axis_names(axis_name: AxisName | None) -> tuple[str, ...]:
    """Return the names of the axes as a tuple, which is empty for None."""
    if axis_name is None:
        return ()
    return (axis_name,) if isinstance(axis_name, str) else tuple(axis_name)


def check_disjoint(axis_name: AxisName | None, average_over: AxisName | None) -> None:
    """Raise ``ValueError`` if an axis is named in both arguments.

    Args:
      axis_name: Axes over which the parameters are sharded.
      average_over: Axes of data parallelism, over which the parameters are replicated.
    """
    both = set(axis_names(axis_name)) & set(axis_names(average_over))
    if both:
        raise ValueError(
            f"axis_name and average_over share {min(both)!r}: parameters are either sharded or "
            "replicated over an axis"
        )


def apart(tree: Any, axis_name: AxisName | None) -> Any:
    """Mark values as varying over devices, so that their gradients are not summed over devices.

    Args:
      tree: The values, a tree of arrays; none of them changes.
      axis_name: The mapped axes of the devices; with None, ``tree`` itself is returned, and so it
        is where JAX does not track which values vary.
    """
    axes = tuple(axis for axis in axis_names(axis_name) if _is_tracked(axis))
    if not axes:
        return tree
    return jax.tree.map(lambda leaf: _apart(jnp.asarray(leaf), axes), tree)


def _apart(leaf: jax.Array, axes: tuple[str, ...]) -> jax.Array:
    return jax.lax.select(jax.lax.axis_index(axes) < 0, leaf, leaf)  # varies as the index does


def _is_tracked(axis: str) -> bool:
    """Return whether JAX tracks here which values vary over the axis.

    It does in ``shard_map`` by default, and does not in ``pmap`` and with ``check_vma=False``.

    Raises:
      ValueError: If ``axis`` is not a mapped axis here.
    """
    try:
        index = jax.lax.axis_index(axis)
    except NameError:
        raise ValueError(
            f"{axis!r} is not a mapped axis here: name an axis of the enclosing shard_map or pmap; "
            "under jit alone no axis is needed"
        ) from None
    return jax.typeof(index) != jax.typeof(jnp.zeros((), index.dtype))


def own_axes(leaf: Any, axis_name: AxisName | None, *, untracked: bool) -> tuple[str, ...]:
    """Return the axes over which each device has its own value, such as its shard of a parameter.

    Args:
      leaf: The value.
      axis_name: The axes to consider.
      untracked: Whether a value counts as each device's own where JAX does not track it.

    Returns:
      Those axes of ``axis_name`` along which the value differs from device to device.
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
    """Sum the Gramians of a gradient's shards over the devices that hold the shards.

    Args:
      gramian: Inner products on this device's shard, ``[K, K]``.
      gradient: The shard, ``[K, *shape]``, which tells the axes over which it varies.
      axis_name: The mapped axes to consider; None for one device.
      untracked: As in :func:`own_axes`: whether to sum where JAX does not track what varies.

    Returns:
      The sum, ``[K, K]``; ``gramian`` itself if the gradient is the same on all devices.
    """
    axes = own_axes(gradient, axis_name, untracked=untracked)
    return jax.lax.psum(gramian, axes) if axes else gramian


def average_gradients(
    grads: Any, primals: Any, axis_name: AxisName | None, *, untracked: bool = False
) -> Any:
    """Return the gradients of the mean of all devices' losses.

    Args:
      grads: On each device the gradients of the sum of all devices' losses with respect to its own
        copy of the values, as made by :func:`apart`; each leaf may have a further leading axis.
      primals: The values, of the same structure. The gradients of a value that is the same on all
        devices are averaged. The gradient of a value that is each device's own is already that of
        the sum of all losses, and is divided by the number of devices.
      axis_name: The mapped axis, or axes, of the devices; None for one device.
      untracked: As in :func:`own_axes`; False by default, so that all devices have the same values.

    Returns:
      Gradients that are the same on all devices where ``primals`` are, otherwise each device's own.
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
    """Return a tree of values averaged over the devices of the axes; unchanged for None."""
    return values if axis_name is None else jax.lax.pmean(values, axis_name)


def check_local(grads: Any, axis_name: AxisName | None) -> None:
    """Raise ``ValueError`` for a gradient that JAX has already summed over the devices.

    Args:
      grads: The gradients, each device's own.
      axis_name: The mapped axes of the devices; with None, nothing is checked.
    """
    for path, leaf in jax.tree_util.tree_leaves_with_path(grads):
        for axis in axis_names(axis_name):
            if not own_axes(leaf, axis, untracked=True):
                raise ValueError(
                    f"average_over={axis!r}: the gradient of {quoted(path)} is the same on all "
                    "devices, since shard_map has summed it: pass average_over to "
                    "value_and_objective_grads instead, or check_vma=False to shard_map"
                )


def reduce_scatter(stack: jax.Array, axis_name: AxisName | None) -> jax.Array:
    """Return this device's shard of the mean over devices of one tensor's K gradients.

    Args:
      stack: This device's gradients, ``[K, *shape]``.
      axis_name: The mapped axis, or axes, of n devices; None for one device.

    Returns:
      Array ``[K, ceil(P / n)]``, with P the number of entries of ``shape``; the last shard is
      padded with zeros. For one device, ``stack`` itself.
    """
    if axis_name is None:
        return stack
    devices = jax.lax.axis_size(axis_name)
    flat = jnp.reshape(stack, (stack.shape[0], -1))
    padded = jnp.pad(flat, ((0, 0), (0, -flat.shape[1] % devices)))
    return jax.lax.psum_scatter(padded, axis_name, scatter_dimension=1, tiled=True) / devices


def all_gather(shard: jax.Array, shape: tuple[int, ...], axis_name: AxisName | None) -> jax.Array:
    """Gather the shards of all devices into one tensor, which is the same on all devices.

    Args:
      shard: This device's shard, ``[ceil(P / n)]`` with P the number of entries of ``shape``; the
        last shard is padded.
      shape: The shape of the tensor.
      axis_name: The mapped axes of n devices; None for one device.

    Returns:
      Array of shape ``shape``. For one device, ``shard`` itself.
    """
    if axis_name is None:
        return shard
    whole = jax.lax.all_gather(shard, axis_name, tiled=True, to="invarying")
    return jnp.reshape(whole[: math.prod(shape)], shape)


def average(axis_name: AxisName | None) -> optax.GradientTransformation:
    """Return an optax transformation that averages gradients over devices.

    Its ``update`` raises ``ValueError`` for a gradient that JAX has already summed over them.

    Args:
      axis_name: The mapped axes of the devices; with None, gradients pass unchanged.
    """

    def update(updates: optax.Updates, state: Any, params: optax.Params | None = None) -> Any:
        del params
        check_local(updates, axis_name)
        return average_values(updates, axis_name), state

    return optax.GradientTransformation(lambda params: optax.EmptyState(), update)
