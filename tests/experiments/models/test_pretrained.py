"""Files of weights: what is read, what is refused, and that a refusal changes nothing."""

import pickle
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
from flax import nnx
from resnet18_weights import weight
from safetensors.numpy import save_file

from experiments.errors import UserError
from experiments.models.cg_cnn import cg_cnn
from experiments.models.pretrained import mapping, state_dict
from experiments.models.pretrained.mapping import Source
from experiments.models.pretrained.resnet18 import load_resnet18
from experiments.models.resnet18 import resnet18

TORCH_FILE = Path(__file__).parents[2] / "golden" / "state_dict.pth"


class Named:
    """Pickles as a global of any name, without the module having to exist."""

    def __init__(self, name):
        self.name = name


class Call:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.function, self.arguments = function, arguments


class Storage:
    """Pickles as the reference to a storage."""

    def __init__(self, kind, key, size):
        self.reference = ("storage", Named(f"torch.{kind}"), key, "cpu", size)


def tensor(kind, key, size, shape, strides, offset=0):
    storage = Storage(kind, key, size)
    rebuild = Named("torch._utils._rebuild_tensor_v2")
    return Call(rebuild, storage, offset, shape, strides, False, OrderedDict())


def pickled(value):
    """The bytes of a pickle with the values above, written opcode by opcode."""
    return b"\x80\x02" + _opcodes(value) + b"."


def _opcodes(value):
    match value:
        case Named():
            module, _, name = value.name.rpartition(".")
            return f"c{module}\n{name}\n".encode()
        case Storage():
            return _opcodes(value.reference) + b"Q"
        case Call():
            return _opcodes(value.function) + _opcodes(value.arguments) + b"R"
        case OrderedDict():
            return _opcodes(Call(Named("collections.OrderedDict"))) + _items(value)
        case dict():
            return b"}" + _items(value)
        case tuple():
            return b"(" + b"".join(map(_opcodes, value)) + b"t"
        case _:
            return pickle.dumps(value, protocol=2)[2:-1]


def _items(value):
    return b"(" + b"".join(_opcodes(k) + _opcodes(v) for k, v in value.items()) + b"u"


def archive(path, content, storages, byteorder=b"little"):
    """Writes the zip archive that torch.save would."""
    data = content if isinstance(content, bytes) else pickled(content)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("archive/data.pkl", data)
        file.writestr("archive/byteorder", byteorder)
        for key, values in storages.items():
            file.writestr(f"archive/data/{key}", values.tobytes())
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "weights.pth"


def test_file_of_torch_is_read():
    tensors = state_dict.read(TORCH_FILE)
    numbers = np.arange(24, dtype=np.float32).reshape(4, 6)
    expected = {
        "0.weight": np.arange(6, dtype=np.float32).reshape(3, 2),
        "0.bias": np.arange(3, dtype=np.float32),
        "1.weight": np.arange(3, dtype=np.float32),
        "1.bias": np.arange(3, dtype=np.float32),
        "1.running_mean": np.arange(3, dtype=np.float32),
        "1.running_var": np.arange(3, dtype=np.float32),
        "1.num_batches_tracked": np.int64(0),
        "transposed": numbers.T,
        "slice": numbers[1:3, ::2],
        "expanded": np.ones((2, 3), np.float32),
        "scalar": np.float32(2.5),
        "empty": np.zeros((0, 3), np.float32),
        "parameter": np.arange(2, dtype=np.float32),
        "bfloat16": np.arange(3).astype(ml_dtypes.bfloat16),
    }
    kinds = ("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "bool")
    expected |= {kind: np.arange(3).astype(kind) for kind in kinds}
    assert tensors.keys() == expected.keys()
    for name, values in expected.items():
        assert tensors[name].dtype == values.dtype, name
        np.testing.assert_array_equal(tensors[name], values, err_msg=name)


def test_safetensors_are_read_whatever_the_name(path):
    values = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.arange(3).astype(ml_dtypes.bfloat16),
        "c": np.arange(3, dtype=np.float16),
        "d": np.array(7),
    }
    save_file(values, path)
    tensors = state_dict.read(path)
    assert tensors.keys() == values.keys()
    for name in values:
        assert tensors[name].dtype == values[name].dtype
        np.testing.assert_array_equal(tensors[name], values[name])


def test_header_of_safetensors_that_looks_like_a_pickle_is_read(path):
    # The header's length begins with the bytes with which a pickle of protocol 2 does.
    header = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'.ljust(0x280)
    path.write_bytes(struct.pack("<Q", len(header)) + header + np.float32(3).tobytes())
    assert path.read_bytes().startswith(b"\x80\x02")
    assert state_dict.read(path) == {"a": 3}


@pytest.mark.parametrize("wrapper", ["state_dict", "model"])
def test_state_dict_of_a_checkpoint_is_found(path, wrapper):
    inner = OrderedDict(a=tensor("FloatStorage", "0", 4, (2, 2), (1, 2)))
    archive(path, {"epoch": 3, wrapper: inner}, {"0": np.arange(4, dtype="f4")})
    np.testing.assert_array_equal(state_dict.read(path)["a"], [[0, 2], [1, 3]])


TOUCH = "open('touched', 'w').close()"
MALICIOUS = {
    "builtins": Call(Named("builtins.exec"), TOUCH),
    "a call of the shell": Call(Named("posix.system"), "touch touched"),
    "a nested name": Call(Named("torch._utils._rebuild_tensor_v2.__globals__.get"), "os"),
    "a class": Call(Named("pathlib.Path"), "touched"),
    "torch": Call(Named("torch.load"), "touched"),
    "a mere name": Named("os.system"),
}


@pytest.mark.parametrize("case", MALICIOUS)
def test_code_in_the_pickle_is_refused_and_not_run(path, monkeypatch, case):
    monkeypatch.chdir(path.parent)
    with pytest.raises(UserError, match=r"which is not read because it could run code"):
        state_dict.read(archive(path, OrderedDict(a=MALICIOUS[case]), {}))
    assert not Path("touched").exists()


def test_an_ordinary_reader_would_run_that_code(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(pickled(MALICIOUS["builtins"]))
    assert Path("touched").exists()


def test_pickle_cannot_change_what_reads_it(path):
    """It sets attributes of every function that it may name; a second file is read as before."""
    poison = b"".join(
        f"c{module}\n{name}\n".encode() + _opcodes(({}, {"__defaults__": (1,), "x": 1})) + b"b0"
        for module, name in [
            ("collections", "OrderedDict"),
            ("torch._utils", "_rebuild_tensor_v2"),
            ("torch._utils", "_rebuild_parameter"),
        ]
    )
    archive(path, b"\x80\x02" + poison + _opcodes(OrderedDict()) + b".", {})
    assert state_dict.read(path) == {}
    assert not hasattr(OrderedDict, "x")
    assert "0.weight" in state_dict.read(TORCH_FILE)


FLOATS = {"0": np.arange(4, dtype="f4")}
DAMAGED = {
    "a tensor beyond its storage": (tensor("FloatStorage", "0", 4, (2, 2), (2, 2)), FLOATS),
    "an offset beyond its storage": (tensor("FloatStorage", "0", 4, (2,), (1,), 3), FLOATS),
    "a negative offset": (tensor("FloatStorage", "0", 4, (1,), (1,), -1), FLOATS),
    "a negative stride": (tensor("FloatStorage", "0", 4, (2,), (-1,)), FLOATS),
    "a negative size": (tensor("FloatStorage", "0", 4, (-1,), (1,)), FLOATS),
    "a storage that is short": (tensor("FloatStorage", "0", 5, (4,), (1,)), FLOATS),
    "a storage that is absent": (tensor("FloatStorage", "1", 4, (4,), (1,)), FLOATS),
    "a storage outside": (tensor("FloatStorage", "../data.pkl", 4, (4,), (1,)), FLOATS),
    "a number": (3, {}),
    "a call of a storage": (Call(Named("torch.FloatStorage"), 3), {}),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_archive_is_refused(path, case):
    value, storages = DAMAGED[case]
    with pytest.raises(
        UserError, match=r"is damaged, or contains something other than a state dict"
    ):
        state_dict.read(archive(path, OrderedDict(a=value), storages))


def test_big_endian_archive_is_refused(path):
    with pytest.raises(UserError, match="big-endian"):
        state_dict.read(archive(path, OrderedDict(), {}, byteorder=b"big"))


def test_archive_of_a_whole_value_is_refused(path):
    with pytest.raises(UserError, match="it is a list"):
        state_dict.read(archive(path, [1, 2], {}))


def test_file_that_ends_early_is_refused(path, tmp_path):
    whole = TORCH_FILE.read_bytes()
    safetensors = tmp_path / "whole.safetensors"
    save_file({"a": np.zeros(9, np.float32)}, safetensors)
    for content in (whole[:3000], whole[:-10], safetensors.read_bytes()[:-1], b"", b"<html>"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="damaged"):
            state_dict.read(path)


def test_flipped_bits_are_noticed(path):
    content = bytearray(TORCH_FILE.read_bytes())
    with zipfile.ZipFile(TORCH_FILE) as file:
        entry = file.getinfo("state_dict/data/17")
        position = content.index(file.read(entry)[16:40])
    content[position] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        state_dict.read(path)


def test_legacy_file_says_how_to_save_it_again(path):
    path.write_bytes(pickle.dumps(0x1950A86A20F9469CFC6C, protocol=2) + b"\x80\x02M\xe9\x03.")
    with pytest.raises(UserError, match=r"PyTorch before 1\.6: .* save its state dict again"):
        state_dict.read(path)


def test_missing_file_and_folder_are_the_users_to_fix(tmp_path):
    with pytest.raises(UserError, match=r"cannot read weights from .*No such file"):
        state_dict.read(tmp_path / "absent.pth")
    with pytest.raises(UserError, match=r"cannot read weights from .*directory"):
        state_dict.read(tmp_path)


SOURCES = {"kernel": Source("w", mapping.linear), "bias": Source("b")}


def tensors(**changes):
    return {"w": np.ones((3, 2), np.float32), "b": np.ones(3, np.float32)} | changes


def linear():
    return nnx.Linear(2, 3, rngs=nnx.Rngs(0))


def load(module, state, **options):
    mapping.load(module, state, SOURCES, file=Path("w.pth"), **options)


def test_mapping_fills_every_parameter():
    module = linear()
    load(module, tensors(w=np.arange(6, dtype=np.float16).reshape(3, 2)))
    np.testing.assert_array_equal(module.kernel[...], [[0, 2, 4], [1, 3, 5]])
    np.testing.assert_array_equal(module.bias[...], [1, 1, 1])
    assert module.kernel.dtype == module.bias.dtype == np.float32


def test_mapping_names_everything_that_is_wrong_and_changes_nothing():
    module, untouched = linear(), linear()
    state = tensors(w=np.ones((2, 3), np.float32), extra=np.ones(1))
    del state["b"]
    message = (
        r"^w\.pth does not fit the model: missing: b; left over: extra; "
        r"of a wrong shape or dtype: w \(float32 \[2, 3\]\): pass weights of this network$"
    )
    with pytest.raises(UserError, match=message):
        load(module, state)
    np.testing.assert_array_equal(module.kernel[...], untouched.kernel[...])


@pytest.mark.parametrize(
    "wrong",
    [np.ones((3, 2), np.int64), np.ones((3, 2, 1), np.float32), np.ones(6, np.float32)],
    ids=["integers", "too many axes", "too few axes"],
)
def test_mapping_refuses_a_tensor_of_another_kind(wrong):
    with pytest.raises(UserError, match=r"of a wrong shape or dtype: w \("):
        load(linear(), tensors(w=wrong))


def test_mapping_lists_a_few_of_many():
    state = tensors(**{f"x{i}": np.ones(1) for i in range(9)})
    with pytest.raises(UserError, match="left over: x0, x1, x2, x3, x4, and 4 more: pass"):
        load(linear(), state)


def test_mapping_leaves_out_what_is_skipped_and_keeps_what_is_kept():
    module = linear()
    before = module.bias[...]
    mapping.load(
        module,
        tensors(),
        {"kernel": SOURCES["kernel"]},
        file=Path("w.pth"),
        skipped=lambda name: name == "b",
        kept=["bias"],
    )
    np.testing.assert_array_equal(module.kernel[...], np.ones((2, 3)))
    np.testing.assert_array_equal(module.bias[...], before)


def test_mapping_of_other_parameters_is_a_mistake_of_the_program():
    with pytest.raises(ValueError, match=r"\['bias'\]"):
        mapping.load(linear(), tensors(), {"kernel": SOURCES["kernel"]}, file=Path("w.pth"))


SHAPES = {"audio": (33, 20, 1), "video": (2, 32, 32, 3)}


@pytest.fixture(scope="module")
def resnet18_state():
    """A state dict by torchvision's names, with its classifier."""
    with np.load(TORCH_FILE.with_name("resnet18.npz")) as golden:
        names, shapes = golden["names"].tolist(), golden["shapes"]
    return {
        name: weight(name, tuple(size for size in shape if size))
        for name, shape in zip(names, shapes, strict=True)
    }


@pytest.fixture(scope="module")
def audio_video():
    """Only a test that loads whole weights may change it; each looks at what was there before."""
    outputs = dict.fromkeys(["joint", *SHAPES], 6)
    return resnet18(SHAPES, outputs, rngs=nnx.Rngs(0))


def values(module):
    return jax.tree.map(np.array, nnx.to_pure_dict(nnx.state(module)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s.pop("layer3.0.downsample.0.weight"), r"missing: layer3\.0\.downsample\.0\.we"),
        (lambda s: s.update({"layer5.conv.weight": np.ones(1)}), r"left over: layer5\.conv\.weig"),
        (lambda s: s.update({"bn1.bias": np.ones(65, "f4")}), r"bn1\.bias \(float32 \[65\]\)"),
    ],
    ids=["missing", "left over", "wrong shape"],
)
def test_resnet18_refuses_another_network(resnet18_state, audio_video, path, change, message):
    state = dict(resnet18_state)
    change(state)
    save_file(state, path)
    before = values(audio_video)
    with pytest.raises(UserError, match=message):
        load_resnet18(audio_video, path)
    jax.tree.map(np.testing.assert_array_equal, values(audio_video), before)


def test_resnet18_loads_every_encoder_and_leaves_the_heads(resnet18_state, audio_video, path):
    save_file(resnet18_state, path)
    heads = values(audio_video.heads)
    load_resnet18(audio_video, path)
    audio, video = (audio_video.encoders[name] for name in SHAPES)
    last = resnet18_state["layer4.1.conv2.weight"]
    var = resnet18_state["layer1.0.bn1.running_var"]
    for encoder in (audio, video):
        np.testing.assert_array_equal(encoder.blocks[7].conv2.kernel[...][1, 2], last[:, :, 1, 2].T)
        np.testing.assert_array_equal(encoder.blocks[0].norm1.var[...], var)
    stem = resnet18_state["conv1.weight"][:, :, 1, 2]
    np.testing.assert_array_equal(video.conv.kernel[...][1, 2], stem.T)
    total = stem.sum(axis=1)
    np.testing.assert_allclose(audio.conv.kernel[...][1, 2, 0], total, rtol=1e-5, atol=1e-7)
    jax.tree.map(np.testing.assert_array_equal, values(audio_video.heads), heads)


def test_resnet18_weights_fit_no_other_model(path):
    model = cg_cnn({"gray": (8, 8, 1)}, {"joint": 2, "gray": 2}, rngs=nnx.Rngs(0))
    with pytest.raises(UserError, match="fit only the model resnet18"):
        load_resnet18(model, path)
