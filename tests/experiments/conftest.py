import jax.numpy as jnp
import pytest
from flax import nnx

from experiments import data, models
from experiments.config import Config, Optimisation


@pytest.fixture(scope="session")
def digits():
    return data.load("cg-digits")


@pytest.fixture
def quick():
    """A configuration of four steps an epoch."""

    def make(**fields):
        optimisation = Optimisation(epochs=2, batch_size=320)
        return Config(**{"optimisation": optimisation, **fields})

    return make


class LinearNetwork(nnx.Module):
    """What every model has, encoders and heads, each of one linear layer: compiles fast."""

    def __init__(self, shapes, outputs, *, rngs):
        self.encoders = nnx.Dict(
            {name: nnx.Linear(shape[-1], 4, rngs=rngs) for name, shape in shapes.items()}
        )
        self.heads = nnx.Dict(
            {name: nnx.Linear(4, number, rngs=rngs) for name, number in outputs.items()}
        )

    def __call__(self, images, *, rngs=None):
        means = {name: jnp.mean(image, axis=(1, 2)) for name, image in images.items()}
        features = {name: nnx.tanh(encode(means[name])) for name, encode in self.encoders.items()}
        features["joint"] = sum(features.values())
        return {name: head(features[name]) for name, head in self.heads.items()}


@pytest.fixture
def linear(monkeypatch):
    """Configurations of the linear network, four steps an epoch."""
    monkeypatch.setitem(models.MODELS, "linear", models.Model(LinearNetwork, ("images",)))

    def make(**fields):
        optimisation = Optimisation(epochs=2, batch_size=320)
        return Config(**{"model": "linear", "optimisation": optimisation, **fields})

    return make
