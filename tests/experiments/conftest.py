import pytest

from experiments import data
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
