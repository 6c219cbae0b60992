"""The devices of a run as a mesh, and the placement of arrays on it."""

import math
import platform
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from experiments.engine.prepare import WORKERS
from experiments.errors import UserError

AXES = ("data", "model")


def make_mesh(specification: str | None = None) -> Mesh:
    """Return a mesh over all devices of all processes, with the axes "data" and "model".

    Args:
      specification: The sizes by axis, as in "data=4,model=2". Samples are split over "data" and
        parameters over "model". By default all devices belong to "data".

    Raises:
      UserError: If the specification cannot be read, names another axis, or does not use all
        devices.

    Example:
      >>> dict(make_mesh("model=1").shape)
      {'data': 1, 'model': 1}
    """
    devices = jax.device_count()
    given: dict[str, int] = {}
    for part in specification.split(",") if specification else ():
        axis, _, size = part.strip().partition("=")
        if axis not in AXES:
            raise UserError(f"unknown mesh axis {axis!r}: choose one of {', '.join(AXES)}")
        if axis in given or not size.isdigit() or int(size) == 0:
            raise UserError(f"cannot read mesh {specification!r}: write it as data=4,model=2")
        given[axis] = int(size)
    model = given.get("model", 1)
    shape = (given.get("data", max(devices // model, 1)), model)
    if math.prod(shape) != devices:
        sizes = ",".join(f"{axis}={size}" for axis, size in zip(AXES, shape, strict=True))
        raise UserError(
            f"mesh {sizes} takes {math.prod(shape)} devices, and there are {devices}: "
            "the sizes must multiply to the number of devices"
        )
    return jax.make_mesh(shape, AXES, axis_types=(AxisType.Auto,) * len(AXES))


def replicated(mesh: Mesh) -> NamedSharding:
    """Return the sharding that puts a whole copy of an array on every device of a mesh."""
    return NamedSharding(mesh, PartitionSpec())


def over_samples(mesh: Mesh) -> NamedSharding:
    """Return the sharding that splits the leading axis, of samples, over the mesh axis "data"."""
    return NamedSharding(mesh, PartitionSpec("data"))


def of_state(mesh: Mesh, state: Any) -> Any:
    """Return the shardings of a training state.

    Kernels are the tensors that grow with the network. They and their momentum are split over
    "model" along their last axis, that of outputs, if its size is divisible. Everything else is
    replicated.

    Args:
      mesh: A mesh from :func:`make_mesh`.
      state: A tree of arrays or of their shapes. A kernel is a leaf whose path ends in "kernel".

    Returns:
      A tree like ``state`` of shardings.
    """

    def sharding(path: Any, leaf: Any) -> NamedSharding:
        is_kernel = jax.tree_util.keystr(path[-1:], simple=True) == "kernel"
        if is_kernel and np.shape(leaf)[-1] % mesh.shape["model"] == 0:
            leading = (None,) * (np.ndim(leaf) - 1)
            return NamedSharding(mesh, PartitionSpec(*leading, "model"))
        return replicated(mesh)

    return jax.tree_util.tree_map_with_path(sharding, state)


def place(tree: Any, shardings: Any) -> Any:
    """Put arrays that every process has whole on the devices of a mesh.

    A process only fills its own devices.

    Args:
      tree: A tree of arrays of the host, or of one device.
      shardings: The sharding of each array, in a tree of the same structure.

    Returns:
      The same tree, of JAX arrays with these shardings.
    """

    def put(leaf: Any, sharding: NamedSharding) -> jax.Array:
        array = np.asarray(leaf)
        return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])

    return jax.tree.map(put, tree, shardings)


def place_samples(mesh: Mesh, fields: Any) -> Any:
    """Put a data set on the devices, its samples split over the mesh axis "data".

    The last shard is filled up with samples from the start of the set.

    Args:
      mesh: A mesh from :func:`make_mesh`.
      fields: A tree of NumPy arrays with a leading axis of N samples.

    Returns:
      The same tree of sharded arrays, whose leading axis is N rounded up to a multiple of the
      devices along "data".
    """

    def put(field: np.ndarray) -> jax.Array:
        rows = np.arange(len(field) + -len(field) % mesh.shape["data"]) % len(field)

        def part(index: tuple[slice, ...] | None) -> np.ndarray:
            return field[rows[index[0] if index else ...]]

        shape = (len(rows), *field.shape[1:])
        return jax.make_array_from_callback(shape, over_samples(mesh), part)

    return jax.tree.map(put, fields)


def description() -> str:
    """Describe the devices and the host, as in "1 x cpu, x86_64, 4 cores".

    Results depend on the number of cores: XLA splits sums among the cores, so another number gives
    other rounding errors, which grow in training.
    """
    cores = f"{WORKERS} core{'s' if WORKERS > 1 else ''}"
    return f"{jax.device_count()} x {jax.devices()[0].device_kind}, {platform.machine()}, {cores}"
