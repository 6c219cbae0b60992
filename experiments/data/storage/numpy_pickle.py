"""Read pickled NumPy arrays without executing code from the pickle.

A pickle is a program: it names functions and calls them. This reader looks up no names. The few
names that a pickled array needs are replaced by stand-ins that record their arguments, and the
arrays are made from these records afterwards. Any other name is an error. NumPy's own functions are
not called, because they trust the sizes and types in the pickle.

Source: Python's documentation of ``pickle``, "Restricting Globals"; the pickled form of an array is
that of ``numpy.ndarray.__reduce__``.
"""

import math
import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from experiments.data.storage.lfs import refuse_pointer
from experiments.errors import UserError


def load(path: str | Path) -> Any:
    """Read a pickle of NumPy arrays and plain values.

    Plain values are None, booleans, numbers, text, bytes, and lists, tuples and dictionaries of
    plain values and arrays. Arrays may contain booleans, integers, floats, text, bytes or, as
    Python objects, plain values. Pickles of every protocol can be read, also those of Python 2,
    whose strings are decoded as Latin-1.

    Args:
      path: The file.

    Returns:
      The pickled object. Its arrays are read-only.

    Raises:
      UserError: If the file cannot be read, is a pointer of Git LFS, is no pickle, is truncated, or
        contains anything but arrays and plain values. Nothing is executed.

    Examples:
      >>> import tempfile
      >>> file = Path(tempfile.mkdtemp()) / "features.pkl"
      >>> _ = file.write_bytes(pickle.dumps({"train": np.arange(3)}))
      >>> load(file)
      {'train': array([0, 1, 2])}
      >>> _ = file.write_bytes(pickle.dumps(print))
      >>> load(file)  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: .../features.pkl cannot be used (it asks for builtins.print...
    """
    refuse_pointer(Path(path))
    try:
        with open(path, "rb") as file:
            return _finished(_Unpickler(file, encoding="latin1").load(), {})
    except OSError as error:
        raise UserError(f"cannot read {path} ({error.strerror}): check the path") from error
    except Exception as error:  # a damaged pickle raises nearly any kind
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(
            f"{path} cannot be used ({reason}): it must be a whole pickle of NumPy arrays and "
            "plain values, such as the data set is distributed in"
        ) from error


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> "_StandIn":
        try:
            return _STAND_INS[module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"it asks for {module}.{name}, which is no part of an array; nothing was executed"
            ) from None


class _StandIn:
    """The object that replaces a name in a pickle: it can be called but not changed."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[..., object]):
        self._call = call

    def __call__(self, *arguments: object) -> object:
        return self._call(*arguments)

    def __setstate__(self, state: object) -> None:
        raise pickle.UnpicklingError("it changes a function; nothing was executed")


class _Dtype:
    """A NumPy dtype as the pickle describes it: a code such as f8, and the byte order."""

    __slots__ = ("_code", "_order")

    def __init__(self, code: str, *_: object):
        if not re.fullmatch(r"b1|[iuf][1248]|[SU]\d+|O8?", code):
            raise pickle.UnpicklingError(f"it has an array of the unknown type {code!r}")
        self._code = code
        self._order = "="

    def __setstate__(self, state: tuple) -> None:
        _, self._order, subarray, names, fields, *_ = state
        if self._order not in ("<", ">", "=", "|") or (subarray, names, fields) != (None,) * 3:
            raise pickle.UnpicklingError("it has an array of records")

    @property
    def holds_objects(self) -> bool:
        return self._code.startswith("O")

    def resolved(self) -> np.dtype:
        order = self._order.replace("|", "=")
        return np.dtype(self._code).newbyteorder(order)  # type: ignore[arg-type]


class _Array:
    """A NumPy array as the pickle describes it."""

    __slots__ = ("_data", "_dtype", "_order", "_shape")

    def __setstate__(self, state: tuple) -> None:
        _, self._shape, self._dtype, is_fortran, self._data = state
        self._order: Literal["C", "F"] = "F" if is_fortran else "C"

    @classmethod
    def from_buffer(cls, data: bytes, dtype: _Dtype, shape: tuple, order: str) -> "_Array":
        if order not in ("C", "F"):
            raise pickle.UnpicklingError(f"it has an array in the order {order!r}")
        array = cls()
        array.__setstate__((1, shape, dtype, order == "F", data))
        return array

    def finished(self, memo: dict[int, Any]) -> np.ndarray:
        if not isinstance(self._dtype, _Dtype):
            raise pickle.UnpicklingError("it has an array without a type")
        return self._objects(memo) if self._dtype.holds_objects else self._numbers()

    def _numbers(self) -> np.ndarray:
        data = _bytes(self._data)
        dtype = self._dtype.resolved()
        if dtype.itemsize * math.prod(self._shape) != len(data):
            raise pickle.UnpicklingError(
                f"an array of shape {self._shape} and type {dtype} has {len(data)} bytes"
            )
        flat = np.frombuffer(bytes(data), dtype) if data else np.empty(0, dtype)
        return flat.reshape(self._shape, order=self._order)

    def _objects(self, memo: dict[int, Any]) -> np.ndarray:
        if not isinstance(self._data, list):
            raise pickle.UnpicklingError("it has an array of objects without a list of them")
        array = np.empty(len(self._data), object)
        for index, item in enumerate(self._data):
            array[index] = _finished(item, memo)
        array.flags.writeable = False
        return array.reshape(self._shape)  # whatever its order, the list is in C order


class _Scalar:
    """A NumPy scalar as the pickle describes it."""

    __slots__ = ("_array",)

    def __init__(self, dtype: _Dtype, data: bytes):
        self._array = _Array.from_buffer(data, dtype, (), "C")

    def finished(self, memo: dict[int, Any]) -> Any:
        return self._array.finished(memo)[()]


def _bytes(data: object) -> bytes | bytearray:
    if isinstance(data, str):  # what Python 2 wrote
        return data.encode("latin1")
    if isinstance(data, bytes | bytearray):
        return data
    raise pickle.UnpicklingError("it has an array without data")


def _encoded(text: str, encoding: str) -> bytes:
    """Return the bytes that a pickle of protocol 0 to 2 wrote as Latin-1 text.

    Such a pickle writes empty bytes in another way.
    """
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"it has bytes in the encoding {encoding!r}")
    return text.encode("latin1")


_NDARRAY = _StandIn(lambda *_: _Array())

_STAND_INS = {
    ("numpy", "ndarray"): _NDARRAY,
    ("numpy", "dtype"): _StandIn(_Dtype),
    ("_codecs", "encode"): _StandIn(_encoded),
    ("__builtin__", "bytes"): _StandIn(lambda: b""),
    **{
        (f"numpy.{core}.{module}", name): stand_in
        for core in ("core", "_core")  # before and since NumPy 2
        for module, name, stand_in in (
            ("multiarray", "_reconstruct", _NDARRAY),
            ("multiarray", "scalar", _StandIn(_Scalar)),
            ("numeric", "_frombuffer", _StandIn(_Array.from_buffer)),
        )
    },
}

_ATOMS = (type(None), bool, int, float, complex, str, bytes, bytearray)


def _finished(value: Any, memo: dict[int, Any]) -> Any:
    """Return a value with arrays in place of the records of the stand-ins, at every depth.

    Args:
      value: A plain value or a record.
      memo: The results so far, by ``id`` of the value, so that a shared value stays shared.
    """
    if isinstance(value, _ATOMS):
        return value
    if id(value) in memo:
        return memo[id(value)]
    if isinstance(value, dict):
        finished: Any = {_key(key): _finished(item, memo) for key, item in value.items()}
    elif isinstance(value, list | tuple):
        finished = type(value)([_finished(item, memo) for item in value])
    elif isinstance(value, _Array | _Scalar):
        finished = value.finished(memo)
    else:
        raise pickle.UnpicklingError("it has a value that is neither plain nor an array")
    memo[id(value)] = finished
    return finished


def _key(key: object) -> object:
    if not isinstance(key, str | bytes | int):
        raise pickle.UnpicklingError("it has a dictionary whose keys are not text or numbers")
    return key
