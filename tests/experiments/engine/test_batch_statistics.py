"""Batch normalization in a run: when its statistics are used, and when they move."""

import jax
import numpy as np
import pytest
from flax import nnx

from experiments import models
from experiments.config import Config, Optimization
from experiments.engine import program
from experiments.engine.checkpoints import Checkpoints
from experiments.models.network import Network

BATCH = 320


class NormalizedNetwork(Network):
    """A batch normalization without parameters for each modality, and linear heads."""

    def __init__(self, shapes, outputs, *, rngs):
        self.encoders = nnx.Dict({name: Encoder(shape[-1], rngs) for name, shape in shapes.items()})
        self.heads = nnx.Dict(
            {name: nnx.Linear(4, number, rngs=rngs) for name, number in outputs.items()}
        )

    def encode(self, inputs, *, rngs=None):
        return {name: encoder(inputs[name]) for name, encoder in self.encoders.items()}

    def classify(self, features, *, rngs=None):
        read = {**features, "joint": sum(features.values())}
        return {name: head(read[name]) for name, head in self.heads.items()}


class Encoder(nnx.Module):
    def __init__(self, channels, rngs):
        self.norm = nnx.BatchNorm(channels, momentum=0.9, rngs=rngs)
        self.linear = nnx.Linear(channels, 4, rngs=rngs)

    def __call__(self, images):
        return nnx.tanh(self.linear(self.norm(images).mean(axis=(1, 2))))


@pytest.fixture
def config(monkeypatch):
    monkeypatch.setitem(models.MODELS, "normalized", models.Model(NormalizedNetwork, ("images",)))
    optimization = Optimization(epochs=2, batch_size=BATCH)

    def make(method="mmpareto"):
        return Config(model="normalized", method=method, optimization=optimization)

    return make


def after(compiled, steps):
    """The state after some steps, and the batches on the host."""
    state = compiled.initial_state(0)
    batches = []
    for batch in compiled.feed.training(state.key, range(steps)):
        batches.append(jax.device_get(batch))
        state, _ = compiled.step(state, batch)
    return state, batches


@pytest.mark.parametrize("method", ["mmpareto", "uniform", "joint"])
def test_a_step_moves_the_statistics_once_however_many_backward_passes_it_takes(
    config, digits, method
):
    state, batches = after(program.build(config(method), digits), 2)
    for name in ("gray", "color"):
        mean, var = 0.0, 1.0
        for batch in batches:
            pixels = np.asarray(batch[name], np.float64) / 255
            mean = 0.9 * mean + 0.1 * pixels.mean(axis=(0, 1, 2))
            var = 0.9 * var + 0.1 * pixels.var(axis=(0, 1, 2))
        found = state.batch_stats["encoders"][name]["norm"]
        np.testing.assert_allclose(found["mean"], mean, rtol=1e-4)
        np.testing.assert_allclose(found["var"], var, rtol=1e-4)


def test_evaluation_uses_the_running_statistics_and_leaves_them(config, digits):
    compiled = program.build(config(), digits)
    state, _ = after(compiled, 2)
    before = jax.device_get(state.batch_stats)
    (batch, counted), *_ = compiled.feed.evaluation("test")
    first = np.arange(len(counted)) == 0
    (whole,) = jax.tree.leaves(jax.device_get(compiled.sums(state, batch, first))["joint"])
    alone = {
        name: jax.numpy.repeat(field[:1], len(counted), axis=0) for name, field in batch.items()
    }
    (single,) = jax.tree.leaves(jax.device_get(compiled.sums(state, alone, first))["joint"])
    np.testing.assert_array_equal(whole, single)
    shifted = state._replace(batch_stats=jax.tree.map(lambda x: x + 5, state.batch_stats))
    (other,) = jax.tree.leaves(jax.device_get(compiled.sums(shifted, batch, counted))["joint"])
    (plain,) = jax.tree.leaves(jax.device_get(compiled.sums(state, batch, counted))["joint"])
    assert np.any(other != plain)
    jax.tree.map(np.testing.assert_array_equal, before, jax.device_get(state.batch_stats))


def test_a_checkpoint_has_the_statistics(config, digits, tmp_path):
    compiled = program.build(config(), digits)
    state, _ = after(compiled, 2)
    with Checkpoints(tmp_path) as checkpoints:
        checkpoints.save(state, config())
    with Checkpoints(tmp_path) as checkpoints:
        restored = checkpoints.restore(compiled.initial_state(1), config())
    jax.tree.map(np.testing.assert_array_equal, state.batch_stats, restored.batch_stats)
