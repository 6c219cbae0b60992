"""Encoders: which parameters belong together, and which losses (their objectives) train them."""

import collections
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

PLAIN = "(no encoder)"
"""The label of parameters in no encoder."""


@dataclasses.dataclass(frozen=True)
class Encoder:
    """Parameters that several objectives share.

    A parameter's path is its keys joined by slashes, as in
    ``jax.tree_util.keystr(path, simple=True, separator="/")``: ``"audio_net/conv/kernel"``.

    Attributes:
      params: The parameters: a path prefix matched in whole components (``"audio_net"`` matches
        ``"audio_net/conv"`` and not ``"audio_network"``), a tuple of prefixes, or a function from
        the path to bool.
      objectives: Names of the losses that train these parameters, in the order in which their
        gradients are stacked. In the paper, the joint loss comes first.

    Raises:
      ValueError: If there is no objective, or an objective is named twice.

    Examples:
      >>> import mmpareto_jax as mmp
      >>> encoder = mmp.Encoder(params="audio_net", objectives=("joint", "audio"))
      >>> encoder.owns("audio_net/conv/kernel"), encoder.owns("audio_network/bias")
      (True, False)
    """

    params: str | tuple[str, ...] | Callable[[str], bool]
    objectives: tuple[str, ...]

    def __post_init__(self) -> None:
        named = isinstance(self.params, tuple | list) and all(
            isinstance(prefix, str) for prefix in self.params
        )
        if not (isinstance(self.params, str) or callable(self.params) or named):
            raise ValueError(
                "params must be a path prefix, a tuple of them or a function from a path to bool, "
                f"got {self.params!r}"
            )
        if not isinstance(self.objectives, tuple | list):
            raise ValueError(f"objectives must be a tuple of names, got {self.objectives!r}")
        if not self.objectives:
            raise ValueError("an encoder needs at least one objective")
        for name, count in collections.Counter(self.objectives).items():
            if count > 1:
                raise ValueError(f"objective {name!r} is named {count} times in one encoder")

    def owns(self, path: str) -> bool:
        """Return whether the parameter at ``path`` belongs to this encoder."""
        if callable(self.params):
            return bool(self.params(path))
        return any(_matches(prefix, path) for prefix in self.prefixes)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Return the path prefixes, an empty tuple if ``params`` is a function."""
        if callable(self.params):
            return ()
        return (self.params,) if isinstance(self.params, str) else tuple(self.params)


def check_encoders(encoders: Any) -> None:
    """Raise ``ValueError`` for anything but a dict from names to encoders."""
    if not isinstance(encoders, Mapping):
        raise ValueError(
            f"encoders must be a dict from names to Encoder, got {type(encoders).__name__}"
        )
    for name, encoder in encoders.items():
        if not isinstance(name, str) or not isinstance(encoder, Encoder):
            raise ValueError(
                f"encoders must be a dict from names to Encoder, got {name!r}: a "
                f"{type(encoder).__name__}"
            )


def quoted(path: jax.tree_util.KeyPath) -> str:
    """Return the path of a leaf in quotes, for an error message: ``'net/kernel'``.

    The path of a tree that is itself a leaf is empty; it becomes ``(the whole tree)``.
    """
    if not path:
        return "(the whole tree)"
    return repr(jax.tree_util.keystr(path, simple=True, separator="/"))


def check_parameters(params: Any) -> None:
    """Raise ``ValueError`` for an empty tree, or for a leaf that is not floating-point or complex.

    Args:
      params: The tree of parameters that a user passed.
    """
    leaves = jax.tree_util.tree_leaves_with_path(params)
    if not leaves:
        raise ValueError("there are no parameters: the tree is empty")
    for path, leaf in leaves:
        parameter = f"parameter {quoted(path)}"
        dtype = dtype_of(leaf, parameter)
        if not jnp.issubdtype(dtype, jnp.inexact):
            raise ValueError(
                f"{parameter} is of type {dtype}, which has no gradient: pass it to the losses as "
                "a further argument"
            )


def dtype_of(leaf: Any, name: str) -> Any:
    """Return the dtype of an array or of a Python number.

    Args:
      leaf: A leaf of a tree that a user passed.
      name: How the error message calls the leaf, such as ``parameter 'net/kernel'``.

    Returns:
      The dtype of the array, or the one that JAX gives to the number.

    Raises:
      ValueError: If the leaf is neither, such as a text or a ShapeDtypeStruct; or if it is an array
        that JAX does not take, such as a masked one of NumPy.
    """
    if isinstance(leaf, jax.ShapeDtypeStruct) or not (
        hasattr(leaf, "dtype") or isinstance(leaf, bool | int | float | complex)
    ):
        raise ValueError(f"{name} is of type {type(leaf).__name__}, expected an array")
    try:
        dtype = jax.typeof(leaf).dtype
    except TypeError:  # an array of a type that JAX does not have, such as text
        return leaf.dtype
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error
    return getattr(leaf, "dtype", dtype)


def check_same_paths(one: Any, other: Any, name: str, other_name: str) -> None:
    """Raise ``ValueError`` if one of two trees has a leaf at a path that the other tree lacks.

    Args:
      one: The first tree.
      other: The second tree.
      name: How the error message calls the first tree.
      other_name: How the error message calls the second tree.
    """
    paths = [
        {quoted(path) for path, _ in jax.tree_util.tree_leaves_with_path(tree)}
        for tree in (one, other)
    ]
    for path in sorted(paths[0] ^ paths[1]):
        has, lacks = (name, other_name) if path in paths[0] else (other_name, name)
        raise ValueError(f"{has} has {path}, which {lacks} lacks")


def label_parameters(tree: Any, encoders: Mapping[str, Encoder]) -> Any:
    """Label each leaf with the name of its encoder, or with :data:`PLAIN` if it is in none.

    Args:
      tree: Parameters, or anything with their structure.
      encoders: Encoders by name.

    Returns:
      A tree of strings with the structure of ``tree``.

    Raises:
      ValueError: If a prefix or a function matches no leaf, or two encoders claim one leaf.

    Examples:
      >>> encoders = {"audio": Encoder(params="audio_net", objectives=("joint", "audio"))}
      >>> label_parameters({"audio_net": 0.0, "head": 0.0}, encoders)
      {'audio_net': 'audio', 'head': '(no encoder)'}
    """
    if PLAIN in encoders:
        raise ValueError(f"an encoder cannot be called {PLAIN!r}")
    leaves, structure = jax.tree_util.tree_flatten_with_path(tree)
    paths = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    owners = [[name for name, encoder in encoders.items() if encoder.owns(path)] for path in paths]
    for path, names in zip(paths, owners, strict=True):
        if len(names) > 1:
            raise ValueError(f"parameter {path!r} is claimed by encoders {', '.join(names)}")
    for name, encoder in encoders.items():
        for prefix in encoder.prefixes:
            if not any(_matches(prefix, path) for path in paths):
                raise ValueError(
                    f"encoder {name!r}: prefix {prefix!r} matches no parameter; "
                    f"paths are {_listing(paths)}"
                )
        if not any(name in names for names in owners):
            raise ValueError(f"encoder {name!r} matches no parameter; paths are {_listing(paths)}")
    return jax.tree.unflatten(structure, [(*names, PLAIN)[0] for names in owners])


def _matches(prefix: str, path: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")


def _listing(paths: list[str], most: int = 20) -> str:
    if not paths:
        return "none, since the tree is empty"
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more
