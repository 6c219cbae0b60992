"""SegNet: pooling and unpooling against loops, and the network's sizes."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit
from flax import nnx

from experiments.errors import UserError
from experiments.models.segnet import SegNet, max_pool_with_places, max_unpool, segnet

SHAPES = {"image": (32, 64, 3)}
OUTPUTS = {"segmentation": 13, "depth": 1}


def with_many_ties(shape=(2, 6, 8, 3)):
    return np.random.default_rng(0).integers(0, 3, size=shape).astype(np.float32)


def brute_force(x):
    """Every window's maximum and the position of its first occurrence, row by row."""
    batch, height, width, channels = x.shape
    maxima = np.empty((batch, height // 2, width // 2, channels), x.dtype)
    positions = {}
    for b, i, j, c in np.ndindex(maxima.shape):
        window = [(2 * i + row, 2 * j + column) for row in (0, 1) for column in (0, 1)]
        best = max(window, key=lambda position: x[b, *position, c])  # the first of equals
        maxima[b, i, j, c] = x[b, *best, c]
        positions[b, i, j, c] = (b, *best, c)
    return maxima, positions


def scattered(values, positions, shape):
    result = np.zeros(shape, values.dtype)
    for index, position in positions.items():
        result[position] = values[index]
    return result


def test_pooling_finds_the_first_maximum_and_unpooling_puts_it_back():
    x = with_many_ties()
    maxima, positions = brute_force(x)
    pooled, places = max_pool_with_places(x)
    np.testing.assert_array_equal(pooled, maxima)
    for (b, i, j, c), (_, row, column, _) in positions.items():
        assert places[b, i, j, c] == 2 * (row - 2 * i) + column - 2 * j
    other = np.random.default_rng(1).normal(size=pooled.shape).astype(np.float32)
    np.testing.assert_array_equal(max_unpool(other, places), scattered(other, positions, x.shape))


def test_negative_and_infinite_values_are_pooled_exactly():
    x = np.array([[-1.0, -np.inf], [-2.0, -3.0]], np.float32)[None, :, :, None]
    pooled, places = max_pool_with_places(x)
    np.testing.assert_array_equal(pooled.ravel(), [-1])
    expected = [[-1, 0], [0, 0]]
    np.testing.assert_array_equal(max_unpool(pooled, places)[0, :, :, 0], expected)


def test_gradients_go_to_one_place_of_a_window_and_come_from_it():
    x = with_many_ties()
    maxima, positions = brute_force(x)
    rng = np.random.default_rng(2)
    cotangent = rng.normal(size=maxima.shape).astype(np.float32)
    _, pull = jax.vjp(lambda x: max_pool_with_places(x)[0], x)
    np.testing.assert_array_equal(pull(cotangent)[0], scattered(cotangent, positions, x.shape))
    _, places = max_pool_with_places(x)
    _, pull = jax.vjp(lambda y: max_unpool(y, places), maxima)
    cotangent = rng.normal(size=x.shape).astype(np.float32)
    expected = np.reshape([cotangent[position] for position in positions.values()], maxima.shape)
    np.testing.assert_array_equal(pull(cotangent)[0], expected)


def convolution(size, channels, width):
    return size * size * channels * width + width


def test_number_of_parameters():
    model = nnx.eval_shape(lambda: segnet({"image": (288, 384, 3)}, OUTPUTS, rngs=nnx.Rngs(0)))
    down = [3, *2 * [64], *2 * [128], *3 * [256], *3 * [512], *3 * [512]]
    up = [512, *3 * [512], *3 * [256], *3 * [128], *2 * [64], *2 * [64]]
    trunk = sum(
        convolution(3, before, after) + 2 * after
        for widths in (down, up)
        for before, after in itertools.pairwise(widths)
    )
    heads = {
        name: convolution(3, 64, 64) + convolution(1, 64, channels)
        for name, channels in OUTPUTS.items()
    }
    # What the authors of the multi-task benchmark count for segmentation alone.
    assert trunk + heads["segmentation"] == 24_981_069
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    count = {
        name: sum(x.size for x in jax.tree.leaves(tree))
        for name, tree in {**params["encoders"], **params["heads"]}.items()
    }
    assert count == {"shared": trunk, **heads}


def test_predictions_have_the_size_of_the_image():
    def predict(images):
        return segnet(SHAPES, OUTPUTS, rngs=nnx.Rngs(0))({"image": images})

    outputs = jax.eval_shape(predict, jnp.zeros((2, 32, 64, 3)))
    assert {name: x.shape for name, x in outputs.items()} == {
        "segmentation": (2, 32, 64, 13),
        "depth": (2, 32, 64, 1),
    }


def test_unpooling_uses_the_places_of_its_own_stage():
    # With convolutions that pass their input on, a single bright pixel comes back where it was.
    model = nnx.eval_shape(
        lambda: SegNet({"image": (32, 64, 1)}, {"depth": 1}, width=1, rngs=nnx.Rngs(0))
    )
    model.eval()

    def passing(path, variable):
        values = np.full(variable.shape, float(path[-1] in ("scale", "var")), np.float32)
        if path[-1] == "kernel":
            values[values.shape[0] // 2, values.shape[1] // 2, 0] = 1  # of the first channel
        return variable.replace(jnp.asarray(values))

    nnx.update(model, nnx.map_state(passing, nnx.state(model)))
    image = np.zeros((1, 32, 64, 1), np.float32)
    image[0, 21, 46, 0] = 1
    depth = quick_jit(lambda x: model(x)["depth"])({"image": image})
    # Each of the 26 normalizations divides by the root of a variance of 1 + epsilon.
    np.testing.assert_allclose(depth, image * (1 + 1e-5) ** (-26 / 2), atol=1e-6)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"a": (32, 32, 3), "b": (32, 32, 3)}, "one input, not 2: a, b"),
        ({"image": (32, 48, 3)}, "multiples of 32"),
        ({"image": (32, 32)}, "multiples of 32"),
    ],
)
def test_other_inputs_are_an_error(shapes, message):
    with pytest.raises(UserError, match=message):
        segnet(shapes, OUTPUTS, rngs=nnx.Rngs(0))
