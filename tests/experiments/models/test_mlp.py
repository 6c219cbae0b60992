"""The MLP of views: its layers written out, late fusion of six views, and errors."""

import jax
import numpy as np
import pytest
from compiling import quick_jit
from flax import nnx

from experiments.errors import UserError
from experiments.models.mlp import MLP, mlp

VIEWS = {"fou": (76,), "fac": (216,), "kar": (64,), "pix": (240,), "zer": (47,), "mor": (6,)}
OUTPUTS = dict.fromkeys(["joint", *VIEWS], 10)


def test_a_representation_matches_the_layers_written_out():
    encoder = MLP(6, rngs=nnx.Rngs(0))
    view = np.random.default_rng(0).normal(size=(4, 6)).astype(np.float32)
    expected = view.astype(np.float64)
    for layer in (encoder.dense1, encoder.dense2):
        kernel, bias = (np.asarray(x[...], np.float64) for x in (layer.kernel, layer.bias))
        expected = np.maximum(expected @ kernel + bias, 0)
    np.testing.assert_allclose(encoder(view), expected, atol=1e-5)


def test_number_of_parameters():
    model = nnx.eval_shape(lambda: mlp(VIEWS, OUTPUTS, rngs=nnx.Rngs(0)))
    encoders = sum(n * 256 + 256 + 256 * 128 + 128 for (n,) in VIEWS.values())
    heads = 6 * (128 * 10 + 10) + 6 * 128 * 10 + 10
    assert sum(x.size for x in jax.tree.leaves(nnx.state(model, nnx.Param))) == encoders + heads


def test_a_head_sees_its_view_and_the_joint_head_all():
    shapes = {"mor": (6,), "zer": (47,)}
    model = mlp(shapes, dict.fromkeys(["joint", *shapes], 10), rngs=nnx.Rngs(0))
    rng = np.random.default_rng(0)
    views = {
        name: rng.normal(size=(2, *shape)).astype(np.float32) for name, shape in shapes.items()
    }
    predict = quick_jit(lambda views: model(views))
    before, after = predict(views), predict({**views, "mor": views["mor"] + 1})
    same = {name: bool(np.all(before[name] == after[name])) for name in before}
    assert same == {"joint": False, "mor": False, "zer": True}


def test_a_view_of_another_rank_is_an_error():
    with pytest.raises(UserError, match=r"pix has shape \(16, 15\)"):
        mlp({"pix": (16, 15)}, {"joint": 10, "pix": 10}, rngs=nnx.Rngs(0))
