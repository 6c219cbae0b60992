"""ResNet-18 beside torchvision's, whose values tests/golden/make_resnet18.py wrote."""

import functools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit
from flax import nnx
from resnet18_weights import images, weight
from safetensors.numpy import save_file

from experiments.errors import UserError
from experiments.models.pretrained.resnet18 import load_resnet18
from experiments.models.resnet18 import resnet18

GOLDEN = Path(__file__).parents[2] / "golden" / "resnet18.npz"
# Of each running variance, the number of values per channel in the four images of 70 by 45.
VALUES = {"bn1": 4 * 35 * 23, "layer2.0.downsample.1": 4 * 9 * 6, "layer4.1.bn2": 4 * 3 * 2}


@functools.cache
def golden():
    with np.load(GOLDEN) as arrays:
        return dict(arrays)


@functools.cache
def state_dict(channels):
    """The weights by torchvision's names, with a first convolution of that many channels."""
    shapes = {
        name: tuple(size for size in shape if size)
        for name, shape in zip(golden()["names"].tolist(), golden()["shapes"], strict=True)
        if not name.startswith("fc.")
    }
    shapes["conv1.weight"] = (64, channels, 7, 7)
    return {name: weight(name, shape) for name, shape in shapes.items()}


def network(channels):
    """A model of one modality, without weights yet."""
    shapes = {"image": (70, 45, channels)}
    return resnet18(shapes, {"joint": 2, "image": 2}, rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory):
    """An encoder of some channels, with the weights of a file of some channels."""

    @functools.cache
    def load(channels, channels_of_file):
        file = tmp_path_factory.mktemp("weights") / "resnet18.safetensors"
        save_file(state_dict(channels_of_file), file)
        model = network(channels)
        load_resnet18(model, file)
        return model.encoders["image"]

    return load


def features(encoder, x, dtype, training):
    """The representations, and the running statistics after them, both computed in a dtype."""
    graph, params, statistics = nnx.split(encoder, nnx.Param, nnx.BatchStat)

    @quick_jit
    def forward(params, statistics, x):
        model = nnx.merge(graph, params, statistics)
        model.train() if training else model.eval()
        return model(x), nnx.to_pure_dict(nnx.state(model, nnx.BatchStat))

    with jax.enable_x64(dtype == "float64"):
        state = [
            jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), nnx.to_pure_dict(each))
            for each in (params, statistics)
        ]
        return jax.tree.map(np.asarray, forward(*state, jnp.asarray(x, dtype)))


TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


@pytest.mark.parametrize(
    ("channels", "dtype"),
    [
        (1, "float32"),
        (3, "float64"),
        pytest.param(1, "float64", marks=pytest.mark.slow),
        pytest.param(3, "float32", marks=pytest.mark.slow),
    ],
)
def test_evaluation_is_that_of_torchvision(loaded, channels, dtype):
    y, _ = features(loaded(channels, channels), images(channels), dtype, training=False)
    expected = golden()[f"{channels}/evaluation"]
    assert y.dtype == dtype
    np.testing.assert_allclose(y, expected, rtol=0, atol=TOLERANCE[dtype] * np.abs(expected).max())


@pytest.mark.parametrize(
    ("channels", "dtype"),
    [
        (1, "float32"),
        pytest.param(3, "float64", marks=pytest.mark.slow),
        pytest.param(1, "float64", marks=pytest.mark.slow),
        pytest.param(3, "float32", marks=pytest.mark.slow),
    ],
)
def test_training_is_that_of_torchvision(loaded, channels, dtype):
    with jax.numpy_dtype_promotion("standard"):  # Flax's BatchNorm promotes in float64
        y, statistics = features(loaded(channels, channels), images(channels), dtype, training=True)
    expected = golden()[f"{channels}/training"]
    np.testing.assert_allclose(y, expected, rtol=0, atol=TOLERANCE[dtype] * np.abs(expected).max())
    ours = {
        "bn1": statistics["norm"],
        "layer2.0.downsample.1": statistics["blocks"][2]["projection"]["layers"][1],
        "layer4.1.bn2": statistics["blocks"][7]["norm2"],
    }
    for name, values in VALUES.items():
        before = state_dict(channels)[f"{name}.running_var"].astype(np.float64)
        unbiased = (golden()[f"{channels}/{name}.running_var"] - 0.9 * before) / 0.1
        variance = 0.9 * before + 0.1 * unbiased * (values - 1) / values
        mean = golden()[f"{channels}/{name}.running_mean"]
        for actual, want in ((ours[name]["mean"], mean), (ours[name]["var"], variance)):
            atol = TOLERANCE[dtype] * np.abs(want).max()
            np.testing.assert_allclose(actual, want, rtol=0, atol=atol)


def test_one_channel_answers_as_three_equal_ones(loaded):
    y, _ = features(loaded(1, 3), images(1), "float64", training=False)
    scale = np.abs(golden()["gray"]).max()
    np.testing.assert_allclose(y, golden()["gray"], rtol=0, atol=1e-6 * scale)  # float32 sums


def test_frames_are_averaged(loaded):
    encoder = loaded(3, 3)
    frames = images(3).reshape(2, 2, 70, 45, 3)
    each, _ = features(encoder, images(3), "float64", training=False)
    together, _ = features(encoder, frames, "float64", training=False)
    np.testing.assert_allclose(together, each.reshape(2, 2, -1).mean(axis=1), rtol=1e-10)


def test_number_of_parameters_is_that_of_torchvision():
    params = nnx.state(network(3).encoders["image"], nnx.Param)
    count = sum(leaf.size for leaf in jax.tree.leaves(params))
    assert golden()["parameters"] == 11_689_512
    assert count == 11_176_512 == golden()["parameters"] - 1000 * (512 + 1)


def test_initial_values_have_the_spread_of_torchvision():
    encoder = network(3).encoders["image"]
    kernel = encoder.blocks[7].conv2.kernel[...]
    assert jnp.std(kernel) == pytest.approx(np.sqrt(2 / (512 * 9)), rel=1e-2)
    assert jnp.max(jnp.abs(kernel)) > 4 * jnp.std(kernel)  # normal, not truncated


def test_model_of_three_modalities_maps_each_shape():
    shapes = {"audio": (33, 20, 1), "flow": (32, 32, 2), "video": (2, 32, 32, 3)}
    outputs = {"joint": 4, "audio": 4, "flow": 4, "video": 4}
    model = resnet18(shapes, outputs, fusion="gated", rngs=nnx.Rngs(0))
    batches = {name: jnp.zeros((2, *shape)) for name, shape in shapes.items()}
    model.eval()  # a trace must not change statistics outside it
    logits = jax.eval_shape(lambda: model(batches, rngs=None))
    assert {name: each.shape for name, each in logits.items()} == dict.fromkeys(outputs, (2, 4))
    paths = {path[:2] for path, _ in nnx.to_flat_state(nnx.state(model, nnx.Param))}
    expected = {("encoders", name) for name in shapes} | {("heads", name) for name in outputs}
    assert paths == expected


def test_data_set_of_other_heads_is_refused():
    with pytest.raises(UserError, match="not left, right: choose another model"):
        resnet18({"image": (8, 8, 1)}, {"left": 10, "right": 10}, rngs=nnx.Rngs(0))
