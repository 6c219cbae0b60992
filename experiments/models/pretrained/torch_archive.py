"""Read the zip archive that ``torch.save`` writes, without PyTorch.

The archive has a pickle, ``ROOT/data.pkl``, and the bytes of each storage, ``ROOT/data/KEY``. The
pickle refers to storages by persistent ids and calls a function for each tensor. A pickle can name
any function. This reader replaces the few that tensors need by functions that return descriptions
of tensors, in tuples and dicts, and accepts no other, so that no code of the file or of an
installed package runs. The arrays are made from the descriptions afterwards.
"""

import functools
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import ml_dtypes
import numpy as np

from experiments.errors import UserError

_DTYPES = {
    "torch.DoubleStorage": np.dtype("<f8"),
    "torch.FloatStorage": np.dtype("<f4"),
    "torch.HalfStorage": np.dtype("<f2"),
    "torch.BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "torch.LongStorage": np.dtype("<i8"),
    "torch.IntStorage": np.dtype("<i4"),
    "torch.ShortStorage": np.dtype("<i2"),
    "torch.CharStorage": np.dtype("i1"),
    "torch.ByteStorage": np.dtype("u1"),
    "torch.BoolStorage": np.dtype("?"),
}
_WRAPPERS = ("state_dict", "model")


def read(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of an archive, by name, as NumPy arrays with their shapes and dtypes.

    The archive has a state dict, or a dict with the state dict under ``state_dict`` or ``model``.

    Args:
      path: The file that ``torch.save`` wrote, of PyTorch 1.6 or later.

    Raises:
      UserError: If the archive is damaged, or contains anything but named tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return _arrays(archive)
    except _RefusedError as error:
        raise UserError(
            f"{path} holds {error}, which is not read because it could run code: save the state "
            "dict alone with torch.save, or as safetensors"
        ) from error
    except Exception as error:  # a damaged pickle can raise anything
        raise UserError(
            f"{path} is damaged, or contains something other than a state dict ({error}): fetch it "
            "again, or save the state dict alone"
        ) from error


class _RefusedError(Exception):
    """The error of a pickle that names a function or class other than tensors need."""


class _Storage(NamedTuple):
    dtype: np.dtype
    key: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in elements, as the offset


class _Dict(dict[str, Any]):
    """An OrderedDict that ignores the attributes that a pickle sets."""

    def __setstate__(self, state: object) -> None:
        pass


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        # New functions for each file, because a pickle can set attributes of a function.
        self._functions: dict[str, Callable[..., Any]] = {
            "collections.OrderedDict": lambda *items: _Dict(*items),
            "torch._utils._rebuild_tensor_v2": lambda *arguments: _Tensor(*arguments[:4]),
            "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
        }

    def find_class(self, module: str, name: str) -> Any:
        full_name = f"{module}.{name}"
        if full_name in _DTYPES:
            return full_name
        if full_name not in self._functions:
            raise _RefusedError(full_name)
        return self._functions[full_name]

    def persistent_load(self, pid: Any) -> _Storage:
        _, storage_type, key, _, size = pid
        return _Storage(_DTYPES[storage_type], key, size)


def _arrays(archive: zipfile.ZipFile) -> dict[str, np.ndarray]:
    root = _root(archive)
    with archive.open(f"{root}data.pkl") as file:
        tensors = _unwrapped(_Unpickler(file).load())

    @functools.cache
    def content(storage: _Storage) -> bytes:
        stored = archive.read(f"{root}data/{storage.key}")
        if len(stored) != storage.size * storage.dtype.itemsize:
            raise ValueError(f"storage {storage.key} has {len(stored)} bytes")
        return stored

    return {name: _array(tensor, content(tensor.storage)) for name, tensor in tensors.items()}


def _root(archive: zipfile.ZipFile) -> str:
    pickles = [name for name in archive.namelist() if name.endswith("data.pkl")]
    if len(pickles) != 1:
        raise ValueError(f"it has {len(pickles)} entries data.pkl instead of one")
    root = pickles[0].removesuffix("data.pkl")
    byteorder = f"{root}byteorder"
    if byteorder in archive.namelist() and archive.read(byteorder) != b"little":
        raise ValueError("its numbers are big-endian")
    return root


def _unwrapped(content: Any) -> dict[str, _Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise ValueError(f"it is a {type(content).__name__}")
    for name, value in content.items():
        if not isinstance(name, str) or not isinstance(value, _Tensor):
            raise ValueError(f"its entry {name!r} is not a named tensor")
    return content


def _array(tensor: _Tensor, content: bytes) -> np.ndarray:
    size = tensor.storage.dtype.itemsize
    # NumPy checks that the array is within the bytes.
    return np.ndarray(
        shape=tensor.shape,
        dtype=tensor.storage.dtype,
        buffer=content,
        offset=tensor.offset * size,
        strides=[stride * size for stride in tensor.strides],
    )
