import codecs
import io
import os
import pickle
import pickletools
import struct

import numpy as np
import pytest

from experiments.data.storage import numpy_pickle
from experiments.errors import UserError


def saved(tmp_path, contents):
    path = tmp_path / "file.pkl"
    path.write_bytes(contents)
    return path


def refusal(tmp_path, contents):
    with pytest.raises(UserError) as error:
        numpy_pickle.load(saved(tmp_path, contents))
    message = str(error.value)
    assert "\n" not in message
    assert "file.pkl" in message
    return message


ARRAYS = {
    "float32": np.arange(24, dtype=np.float32).reshape(2, 3, 4),
    "float64": np.array([np.nan, -np.inf, 0.1]),
    "float16": np.array([0.5], np.float16),
    "big-endian": np.arange(5, dtype=">i4"),
    "bool": np.array([[True], [False]]),
    "uint8": np.arange(256, dtype=np.uint8),
    "text": np.array([["a", "ab$_$1"], ["ü", "\U0001f600"]]),
    "bytes": np.array([b"xyz", b"\xff"]),
    "scalar": np.array(3.5),
    "empty": np.zeros((0, 5), np.float32),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "strided": np.arange(20)[::3],
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_come_back_from_every_protocol(tmp_path, name, protocol):
    array = ARRAYS[name]
    read = numpy_pickle.load(saved(tmp_path, pickle.dumps(array, protocol)))
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array, strict=True)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_back(tmp_path, protocol):
    value = {
        "train": [1, 2.5, None, True, "ü", b"\0\xff", (1, "a"), b""],
        b"key": {7: [np.float64(0.25), np.int64(-3), np.str_("s")]},
    }
    assert numpy_pickle.load(saved(tmp_path, pickle.dumps(value, protocol))) == value


@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_of_objects_hold_plain_values_and_arrays(tmp_path, order):
    array = np.empty((2, 2), object, order)
    array[:] = [["a", [1]], [None, 2.5]]
    array[0, 0] = np.arange(3)
    read = numpy_pickle.load(saved(tmp_path, pickle.dumps(array)))
    assert read.dtype == object
    np.testing.assert_array_equal(read[0, 0], [0, 1, 2])
    assert [read[0, 1], read[1, 0], read[1, 1]] == [[1], None, 2.5]


def test_what_is_shared_stays_shared(tmp_path):
    array = np.arange(3)
    first, second = numpy_pickle.load(saved(tmp_path, pickle.dumps([array, array])))
    assert first is second


def test_a_tower_of_shared_lists_is_read_in_no_time(tmp_path):
    value: list = []
    for _ in range(200):
        value = [value, value]
    assert len(numpy_pickle.load(saved(tmp_path, pickle.dumps(value)))) == 2


def test_pickles_of_python_2_are_read(tmp_path):
    # {'text': numpy.array([1.5, -2.0])} as Python 2 and NumPy 1 write it in protocol 2
    values = struct.pack("<2d", 1.5, -2.0)
    contents = (
        b"\x80\x02}q\x00U\x04textq\x01cnumpy.core.multiarray\n_reconstruct\nq\x02"
        b"cnumpy\nndarray\nq\x03K\x00\x85q\x04U\x01bq\x05\x87q\x06Rq\x07"
        b"(K\x01K\x02\x85q\x08cnumpy\ndtype\nq\tU\x02f8q\nK\x00K\x01\x87q\x0bRq\x0c"
        b"(K\x03U\x01<q\rNNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0eb\x89"
        b"U\x10" + values + b"q\x0ftq\x10bs."
    )
    pickletools.dis(contents, out=io.StringIO())
    read = numpy_pickle.load(saved(tmp_path, contents))
    np.testing.assert_array_equal(read["text"], [1.5, -2.0])


RAN = []
MAKE_FOLDER = "__import__('os').mkdir('ran')"


def run(*_):
    RAN.append(True)


class Reduces:
    def __init__(self, *reduced):
        self.reduced = reduced

    def __reduce__(self):
        return self.reduced


def hidden_in_an_array():
    array = np.empty(2, object)
    array[1] = Reduces(run, ())
    return array


def in_an_object_array_of_protocol(protocol):
    return lambda: pickle.dumps({"train": hidden_in_an_array()}, protocol)


class Persistent(pickle.Pickler):
    def persistent_id(self, value):
        return "x" if value == "persistent" else None


def persistent():
    file = io.BytesIO()
    Persistent(file).dump(["persistent"])
    return file.getvalue()


MALICIOUS = {
    "os.system": lambda: pickle.dumps(Reduces(os.system, ("touch ran",))),
    "eval": lambda: pickle.dumps(Reduces(eval, (MAKE_FOLDER,))),
    "exec among arrays": lambda: pickle.dumps([np.ones(3), Reduces(exec, (MAKE_FOLDER,))]),
    "a function of ours": lambda: pickle.dumps(Reduces(run, ())),
    "in an array of objects": in_an_object_array_of_protocol(4),
    "in an array of objects, protocol 0": in_an_object_array_of_protocol(0),
    "in an array of objects, protocol 2": in_an_object_array_of_protocol(2),
    "a dictionary key": lambda: pickle.dumps({Reduces(run, ()): 1}),
    "codecs.decode": lambda: pickle.dumps(Reduces(codecs.decode, (b"00", "hex"))),
    "encode to another encoding": lambda: b"c_codecs\nencode\n(X\x01\0\0\0aX\x03\0\0\0hextR.",
    "numpy.testing": lambda: (
        b"cnumpy.testing._private.utils\nrunstring\n(X\x10\0\0\0open('ran', 'w')}tR."
    ),
    "numpy.testing by a dotted name": lambda: b"\x80\x04\x8c\x05numpy\x8c\x0ctesting.rund\x93)R.",
    "a dotted name below an allowed one": lambda: (
        b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93)R."
    ),
    "bytes of an argument": lambda: b"c__builtin__\nbytes\n(I5\ntR.",
    "numpy.load": lambda: b"cnumpy\nload\n(X\x01\0\0\0xNtR.",
    "numpy.ndarray of ctypes": lambda: b"cctypes\nc_char\n)R.",
    "an attribute of a stand-in": lambda: b"cnumpy\ndtype\n(N}X\x05\0\0\0_callK\x01stb.",
    "state of a stand-in": lambda: b"cnumpy\ndtype\n}X\x05\0\0\0_callK\x01sb.",
    "a new object of a stand-in": lambda: b"\x80\x02cnumpy\ndtype\n)\x81.",
    "the extension registry": lambda: b"\x80\x02\x82\x01)R.",
    "a persistent id": persistent,
    "a stand-in itself": lambda: b"cnumpy\ndtype\n.",
}


@pytest.mark.parametrize("name", list(MALICIOUS)[:7])
def test_the_malicious_pickles_would_run(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    RAN.clear()
    pickle.loads(MALICIOUS[name]())
    assert RAN == [True] or (tmp_path / "ran").exists()


@pytest.mark.parametrize("name", MALICIOUS)
def test_code_in_a_pickle_is_refused_and_not_executed(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    RAN.clear()
    refusal(tmp_path, MALICIOUS[name]())
    assert RAN == []
    assert not (tmp_path / "ran").exists()


def test_the_refusal_names_what_was_asked_for(tmp_path):
    message = refusal(tmp_path, pickle.dumps(Reduces(os.system, ("true",))))
    assert f"{os.system.__module__}.system" in message
    assert "nothing was executed" in message


def test_a_refused_pickle_leaves_the_next_one_alone(tmp_path):
    refusal(tmp_path, b"cnumpy.core.multiarray\n_reconstruct\n(N}X\x05\0\0\0_callK\x01stb.")
    refusal(tmp_path, b"c_codecs\nencode\n}X\x01\0\0\0aK\x01sb.")
    read = numpy_pickle.load(saved(tmp_path, pickle.dumps(np.arange(3), 2)))
    np.testing.assert_array_equal(read, [0, 1, 2])


def array_with(**state):
    """The pickle of an array whose state is partly replaced."""
    dtype = np.dtype(np.float64)
    usual = {"version": 1, "shape": (2,), "dtype": dtype, "fortran": False, "data": bytes(16)}
    values = tuple({**usual, **state}.values())
    reconstruct = np.arange(1).__reduce__()[0]
    return pickle.dumps(Reduces(reconstruct, (np.ndarray, (0,), b"b"), values))


def dtype_with(code, *state):
    return Reduces(np.dtype, (code, False, True), state)


USUAL = (3, "<", None, None, None, -1, -1, 0)

FORGED = {
    "more elements than data": array_with(shape=(3,)),
    "more elements than memory": array_with(shape=(2**62, 2**62)),
    "a negative shape": array_with(shape=(-2, -1)),
    "no shape": array_with(shape=None),
    "no type": array_with(dtype=None),
    "no data": array_with(data=None),
    "addresses for objects": array_with(dtype=np.dtype(object), data=bytes(16)),
    "objects that are too few": array_with(dtype=np.dtype(object), data=[1]),
    "records": pickle.dumps(np.zeros(2, [("a", "f8")])),
    "records with objects": pickle.dumps(np.zeros(2, [("a", "O")])),
    "a scalar of records": pickle.dumps(np.zeros(2, [("a", "f8"), ("b", "O")])[0]),
    "fields beyond the item": array_with(
        dtype=dtype_with("f8", 3, "|", None, ("a",), {"a": (np.dtype("f8"), 10**9)}, 8, 1, 16)
    ),
    "a type of no size": array_with(dtype=dtype_with("f3", *USUAL)),
    "a type by an expression": array_with(dtype=dtype_with("f8,O", *USUAL)),
    "a byte order that there is not": array_with(dtype=dtype_with("f8", 3, "x", *USUAL[2:])),
    "dates": pickle.dumps(np.array(["2020-01-01"], "datetime64[D]")),
    "an array that never got a state": b"cnumpy\nndarray\n)R.",
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_arrays_are_refused(tmp_path, name):
    refusal(tmp_path, FORGED[name])


@pytest.mark.parametrize("share", [0, 0.2, 0.5, 0.9, 0.999])
def test_a_pickle_cut_short_is_refused(tmp_path, share):
    whole = pickle.dumps({"train": np.arange(100), "id": ["a", "b"]})
    refusal(tmp_path, whole[: int(share * len(whole))])


@pytest.mark.parametrize("contents", [b"\0" * 100, b"<html></html>", b"PK\3\4" + bytes(50)])
def test_what_is_no_pickle_is_refused(tmp_path, contents):
    refusal(tmp_path, contents)


def test_any_byte_changed_gives_an_array_or_a_refusal(tmp_path):
    whole = pickle.dumps({"train": {"text": np.arange(4.0), "id": np.array(["a"])}})
    rng = np.random.default_rng(0)
    for position in range(len(whole)):
        damaged = bytearray(whole)
        damaged[position] = rng.integers(256)
        try:
            numpy_pickle.load(saved(tmp_path, bytes(damaged)))
        except UserError as error:
            assert "\n" not in str(error)  # noqa: PT017


def test_a_list_in_itself_is_refused(tmp_path):
    value: list = []
    value.append(value)
    refusal(tmp_path, pickle.dumps(value))


def test_a_missing_file_and_a_folder(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        numpy_pickle.load(tmp_path / "missing.pkl")
    with pytest.raises(UserError, match="directory"):
        numpy_pickle.load(tmp_path)
