"""The sequence transformer: positions, padding, sizes and errors."""

import math

import jax
import numpy as np
import pytest
from compiling import quick_jit
from flax import nnx

from experiments.errors import UserError
from experiments.models.sequence_transformer import (
    SequenceTransformer,
    sequence_transformer,
    sinusoids,
)
from experiments.models.vit import Size

SHAPES = {"text": (50, 300), "audio": (50, 74), "video": (50, 35)}
OUTPUTS = dict.fromkeys(["joint", *SHAPES], 2)
TINY = Size(width=8, heads=2, mlp=12)


@pytest.fixture(scope="module")
def encoder():
    return SequenceTransformer(3, 2, TINY, rngs=nnx.Rngs(0))


@pytest.fixture(scope="module")
def encode(encoder):
    return quick_jit(lambda steps: encoder(steps))


def sequences(*shape):
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_positions_are_the_published_sines_and_cosines():
    positions = sinusoids(7, 6)
    for step in range(7):
        angles = [step / 10000 ** (2 * i / 6) for i in range(3)]
        expected = [*map(math.sin, angles), *map(math.cos, angles)]
        np.testing.assert_allclose(positions[step], expected, atol=1e-6)


def test_padding_at_the_end_changes_nothing(encoder, encode):
    steps = sequences(2, 4, 3)
    padded = np.concatenate([steps, np.zeros((2, 3, 3), np.float32)], axis=1)
    unmasked = encoder.embedding(steps) + sinusoids(4, 8)[None]
    for layer in encoder.layers:
        unmasked = layer(unmasked)
    expected = np.mean(encoder.norm(unmasked), axis=1)
    np.testing.assert_allclose(encode(steps), expected, atol=1e-5)
    np.testing.assert_allclose(encode(padded), expected, atol=1e-5)


def test_padding_is_per_sample_and_anywhere(encode):
    steps = sequences(3, 5, 3)
    steps[0, :2] = steps[1, 3:] = 0
    together = encode(steps)
    for index in range(3):
        np.testing.assert_allclose(encode(steps[index : index + 1])[0], together[index], atol=1e-5)
    moved = steps[:1].copy()
    moved[0, 0] = 1e-3  # a step of features that are small but not zero counts
    assert np.max(np.abs(encode(moved) - together[:1])) > 1e-2


def test_a_sequence_of_padding_alone_is_zero_and_has_finite_gradients(encoder):
    graph, params = nnx.split(encoder, nnx.Param)
    steps = sequences(2, 4, 3)
    steps[0] = 0

    @quick_jit
    def value_and_grad(params):
        def loss(params):
            representation = nnx.merge(graph, params)(steps)
            return (representation**2).sum(), representation

        return jax.value_and_grad(loss, has_aux=True)(params)

    (_, representation), grads = value_and_grad(params)
    np.testing.assert_array_equal(representation[0], 0)
    assert np.any(representation[1])
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(grads))


def test_the_order_of_the_steps_matters(encode):
    steps = sequences(1, 4, 3)
    assert np.max(np.abs(encode(steps) - encode(steps[:, ::-1]))) > 1e-3


def test_number_of_parameters():
    model = nnx.eval_shape(lambda: sequence_transformer(SHAPES, OUTPUTS, rngs=nnx.Rngs(0)))
    layer = 4 * (64 * 64 + 64) + (64 * 256 + 256) + (256 * 64 + 64) + 2 * 2 * 64
    encoders = sum(n * 64 + 64 + 3 * layer + 2 * 64 for _, n in SHAPES.values())
    heads = 3 * (64 * 2 + 2) + (3 * 64 * 2 + 2)
    assert sum(x.size for x in jax.tree.leaves(nnx.state(model, nnx.Param))) == encoders + heads


def test_a_shape_of_another_rank_is_an_error():
    with pytest.raises(UserError, match=r"text has shape \(300,\)"):
        sequence_transformer({"text": (300,)}, {"joint": 2, "text": 2}, rngs=nnx.Rngs(0))
