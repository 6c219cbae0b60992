"""LeNet: its sizes, its layers written out, and errors."""

import itertools

import jax
import numpy as np
import pytest
from flax import nnx

from experiments.errors import UserError
from experiments.models.lenet import lenet

SHAPES = {"image": (28, 56, 1)}
OUTPUTS = {"right": 10, "left": 10}


def test_number_of_parameters():
    model = nnx.eval_shape(lambda: lenet(SHAPES, OUTPUTS, rngs=nnx.Rngs(0)))
    shared = (25 * 10 + 10) + (25 * 10 * 20 + 20) + (20 * 4 * 11 * 50 + 50)
    head = (50 * 50 + 50) + (50 * 10 + 10)
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    count = {
        name: sum(x.size for x in jax.tree.leaves(tree))
        for name, tree in {**params["encoders"], **params["heads"]}.items()
    }
    assert count == {"shared": shared, "right": head, "left": head}


def numpy_lenet(model, image, task):
    """One image through the layers, in float64 and in loops."""

    def parameters(layer):
        return (np.asarray(each[...], np.float64) for each in (layer.kernel, layer.bias))

    def convolve(x, layer):
        kernel, bias = parameters(layer)
        height, width = x.shape[0] - 4, x.shape[1] - 4
        result = np.empty((height, width, len(bias)))
        for i, j in itertools.product(range(height), range(width)):
            result[i, j] = np.tensordot(x[i : i + 5, j : j + 5], kernel, 3) + bias
        return result

    def pool(x):
        windows = [
            x[i::2, j::2][: x.shape[0] // 2, : x.shape[1] // 2] for i in (0, 1) for j in (0, 1)
        ]
        return np.max(windows, axis=0)

    def dense(x, layer):
        kernel, bias = parameters(layer)
        return x @ kernel + bias

    trunk, head = model.encoders["shared"], model.heads[task]
    x = np.maximum(pool(convolve(image, trunk.conv1)), 0)
    x = np.maximum(pool(convolve(x, trunk.conv2)), 0)
    x = np.maximum(dense(x.ravel(), trunk.dense), 0)
    return dense(np.maximum(dense(x, head.dense1), 0), head.dense2)


def test_outputs_match_the_layers_written_out():
    model = lenet({"image": (19, 22, 2)}, OUTPUTS, rngs=nnx.Rngs(0))
    model.eval()
    images = np.random.default_rng(0).normal(size=(2, 19, 22, 2)).astype(np.float32)
    outputs = model({"image": images})
    assert list(outputs) == ["right", "left"]
    for task, logits in outputs.items():
        for image, values in zip(images, logits, strict=True):
            np.testing.assert_allclose(values, numpy_lenet(model, image, task), atol=1e-5)


def test_training_drops_whole_channels_and_doubles_the_others():
    trunk = nnx.eval_shape(lambda: lenet(SHAPES, OUTPUTS, rngs=nnx.Rngs(0))).encoders["shared"]
    dropped = np.asarray(trunk.dropout(np.ones((4, 8, 22, 20)), rngs=nnx.Rngs(dropout=0)))
    assert set(np.unique(dropped)) == {0, 2}
    np.testing.assert_array_equal(dropped, np.broadcast_to(dropped[:, :1, :1], dropped.shape))
    assert np.any(dropped[0] != dropped[1])


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"left": (28, 28, 1), "right": (28, 28, 1)}, "one input, not 2: left, right"),
        ({"image": (15, 28, 1)}, "16 x 16"),
        ({"image": (28, 28)}, "16 x 16"),
    ],
)
def test_other_inputs_are_an_error(shapes, message):
    with pytest.raises(UserError, match=message):
        lenet(shapes, OUTPUTS, rngs=nnx.Rngs(0))
