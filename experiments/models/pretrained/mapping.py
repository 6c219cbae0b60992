"""Load a state dict into a module strictly: no tensor may be missing or left over."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from experiments.errors import UserError

_LISTED = 5


def unchanged(tensor: np.ndarray) -> np.ndarray:
    """Return a tensor unchanged, such as a bias, which has the same layout in both libraries."""
    return tensor


def linear(weight: np.ndarray) -> np.ndarray:
    """Return the flax kernel ``[in, out]`` of a PyTorch weight ``[out, in]`` of a linear layer."""
    return np.transpose(weight, (1, 0))


def convolution(weight: np.ndarray) -> np.ndarray:
    """Return the flax kernel of a PyTorch weight of a convolution.

    Args:
      weight: ``[out, in, height, width]``.

    Returns:
      ``[height, width, in, out]``.
    """
    return np.transpose(weight, (2, 3, 1, 0))


class Source(NamedTuple):
    """The tensor from which a parameter is loaded.

    Attributes:
      name: Name of the tensor in the state dict.
      convert: Function of the tensor that returns the parameter. It raises a ``ValueError`` if the
        shape does not fit.
    """

    name: str
    convert: Callable[[np.ndarray], np.ndarray] = unchanged


def load(
    module: nnx.Module,
    tensors: Mapping[str, np.ndarray],
    sources: Mapping[str, Source],
    *,
    file: Path,
    skipped: Callable[[str], bool] = lambda _: False,
    kept: Iterable[str] = (),
) -> None:
    """Set all parameters and batch statistics of a module, or none if anything is wrong.

    Args:
      module: The module, changed in place. Its dtypes do not change.
      tensors: The state dict, as :func:`~experiments.models.pretrained.state_dict.read` returns it.
      sources: For each parameter and batch statistic of the module, by its path with slashes
        (``blocks/0/conv1/kernel``), the tensor that it is loaded from. Several may use one tensor.
      file: The file of the state dict, for messages.
      skipped: Whether the tensor with a name is left out on purpose. By default none is.
      kept: Paths of the parameters that keep their values. By default there are none.

    Raises:
      UserError: If a tensor is missing, is left over, or has a wrong shape or dtype.
      ValueError: If ``sources`` and ``kept`` are not the parameters of the module.
    """
    flat = dict(nnx.to_flat_state(nnx.state(module, (nnx.Param, nnx.BatchStat))))
    variables = {"/".join(map(str, path)): variable for path, variable in flat.items()}
    if unmatched := variables.keys() ^ {*sources, *kept}:
        raise ValueError(f"not both in the module and in the mapping: {sorted(unmatched)}")
    complaints = {
        "missing": _missing(tensors, sources),
        "left over": _left_over(tensors, sources, skipped),
        "of a wrong shape or dtype": _misfits(tensors, sources, variables),
    }
    if any(complaints.values()):
        listed = "; ".join(f"{what}: {_some(names)}" for what, names in complaints.items() if names)
        raise UserError(f"{file} does not fit the model: {listed}: pass weights of this network")
    filled = {
        path: variable.replace(_value(tensors, sources[name], variable))
        for (path, variable), name in zip(flat.items(), variables, strict=True)
        if name in sources
    }
    nnx.update(module, nnx.from_flat_state(filled))


def _missing(tensors: Mapping[str, np.ndarray], sources: Mapping[str, Source]) -> list[str]:
    names = dict.fromkeys(source.name for source in sources.values())
    return [name for name in names if name not in tensors]


def _left_over(
    tensors: Mapping[str, np.ndarray],
    sources: Mapping[str, Source],
    skipped: Callable[[str], bool],
) -> list[str]:
    used = {source.name for source in sources.values()}
    return [name for name in tensors if name not in used and not skipped(name)]


def _misfits(
    tensors: Mapping[str, np.ndarray],
    sources: Mapping[str, Source],
    variables: Mapping[str, nnx.Variable],
) -> list[str]:
    names = dict.fromkeys(
        source.name
        for path, source in sources.items()
        if source.name in tensors and not _fits(tensors[source.name], source, variables[path])
    )
    return [f"{name} ({tensors[name].dtype} {list(tensors[name].shape)})" for name in names]


def _fits(tensor: np.ndarray, source: Source, variable: nnx.Variable) -> bool:
    try:
        shape = source.convert(tensor).shape
    except ValueError:
        return False
    return shape == variable.shape and jnp.issubdtype(tensor.dtype, jnp.floating)


def _value(tensors: Mapping[str, np.ndarray], source: Source, variable: nnx.Variable) -> jax.Array:
    return jnp.asarray(source.convert(tensors[source.name]), variable.dtype)


def _some(names: list[str]) -> str:
    more = [f"and {len(names) - _LISTED} more"] if len(names) > _LISTED else []
    return ", ".join(names[:_LISTED] + more)
