"""Fixtures of the tests of the experiments and of the benchmarks."""

import io
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest import mock

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

from experiments import data, models
from experiments.__main__ import main
from experiments.config import Config, Optimization
from experiments.data.miniatures import WRITERS, mnist
from experiments.data.sets import _mnist as mnist_files
from experiments.models.network import Network

__all__ = ["digits", "few_steps", "linear", "quick", "refused", "run_here", "write_files"]


@pytest.fixture(scope="session")
def digits():
    return data.load("cg-digits")


@pytest.fixture(scope="session")
def run_here():
    """Runs a command in this process, which saves the start of another one."""

    def run(*arguments):
        argv, status = ["experiments", *map(str, arguments)], 0
        with (
            mock.patch.object(sys, "argv", argv),
            redirect_stdout(io.StringIO()) as out,
            redirect_stderr(io.StringIO()) as err,
        ):
            try:
                main()
            except SystemExit as exit_:
                status = exit_.code
        return subprocess.CompletedProcess(argv, status, out.getvalue(), err.getvalue())

    return run


@pytest.fixture
def refused():
    """Asserts status 2 and, at the end of what was said, one line that holds some words."""

    def check(outcome, *words):
        assert outcome.returncode == 2, outcome.stderr
        assert "Traceback" not in outcome.stderr
        (line,) = [line for line in outcome.stderr.splitlines() if line.startswith("error: ")]
        assert outcome.stderr.rstrip().endswith(line)
        for word in words:
            assert word in line

    return check


@pytest.fixture
def quick():
    """A configuration of four steps an epoch."""

    def make(**fields):
        optimization = Optimization(epochs=2, batch_size=320)
        return Config(**{"optimization": optimization, **fields})

    return make


class LinearNetwork(Network):
    """What every model has, encoders and heads, each of one linear layer: compiles fast.

    An input of any shape is averaged over all but its channels.
    """

    def __init__(self, shapes, outputs, *, rngs):
        self.encoders = nnx.Dict(
            {name: nnx.Linear(shape[-1], 4, rngs=rngs) for name, shape in shapes.items()}
        )
        self.heads = nnx.Dict(
            {name: nnx.Linear(4, number, rngs=rngs) for name, number in outputs.items()}
        )

    def encode(self, images, *, rngs=None):
        means = {name: jnp.mean(x, axis=tuple(range(1, x.ndim - 1))) for name, x in images.items()}
        return {name: nnx.tanh(encode(means[name])) for name, encode in self.encoders.items()}

    def classify(self, features, *, rngs=None):
        read = {**features, "joint": sum(features.values())}
        return {name: head(read[name]) for name, head in self.heads.items()}


class SharedLinearNetwork(Network):
    """One linear layer on the channels of an image, shared by linear heads."""

    def __init__(self, shapes, outputs, *, rngs):
        (self.image,) = shapes
        self.encoders = nnx.Dict({"shared": nnx.Linear(shapes[self.image][-1], 4, rngs=rngs)})
        self.heads = nnx.Dict(
            {name: nnx.Linear(4, number, rngs=rngs) for name, number in outputs.items()}
        )

    def encode(self, images, *, rngs=None):
        return {"shared": nnx.tanh(self.encoders["shared"](images[self.image]))}

    def classify(self, features, *, rngs=None):
        return {name: head(features["shared"]) for name, head in self.heads.items()}


class SharedMeanNetwork(SharedLinearNetwork):
    """The same, on the mean over the image."""

    def encode(self, images, *, rngs=None):
        return super().encode(jax.tree.map(lambda x: jnp.mean(x, axis=(1, 2)), images))


@pytest.fixture
def linear(monkeypatch):
    """Configurations of the linear networks, of four steps an epoch on cg-digits."""
    multimodal = models.Model(LinearNetwork, ("images", "frames", "features", "sequences"))
    monkeypatch.setitem(models.MODELS, "linear", multimodal)
    monkeypatch.setitem(models.MODELS, "dense", models.Model(SharedLinearNetwork, ("scenes",)))
    monkeypatch.setitem(models.MODELS, "mean", models.Model(SharedMeanNetwork, ("digits",)))

    def make(**fields):
        optimization = Optimization(epochs=2, batch_size=320)
        return Config(**{"model": "linear", "optimization": optimization, **fields})

    return make


@pytest.fixture
def few_steps():
    """A batch size for each data set's smallest files, of which an epoch has a few steps."""
    return {
        "cg-digits": 320,
        "cg-mnist": 20,
        "cmu-mosi": 10,
        "crema-d": 6,
        "kinetics-sounds": 31,
        "modelnet40": 40,
        "multi-mnist": 20,
        "nyuv2": 1,
        "uci-mfeat": 700,
    }


@pytest.fixture
def write_files(monkeypatch):
    """Writes the smallest files of a set into a folder; those of MNIST pass for the real ones."""

    def write(files, folder):
        WRITERS[files](folder)
        if files == "mnist":
            monkeypatch.setattr(mnist_files, "SHA256", mnist.checksums(folder))

    return write
