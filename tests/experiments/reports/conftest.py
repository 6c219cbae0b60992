import numpy as np
import pytest

from experiments.reports.paper import noise
from experiments.reports.paper.exhibit import Scope

VARIANCES = (
    "joint",
    "unimodal",
    "uniform",
    "pareto",
    "mmpareto-gamma-1",
    "mmpareto-gamma-1.5",
)


@pytest.fixture
def scope():
    return Scope(seeds=3)


@pytest.fixture
def made_up_noise():
    """Makes a record of a measurement of the gradients, with numbers at random."""
    rng = np.random.default_rng(0)

    def encoder():
        variance = dict(zip(VARIANCES, rng.uniform(0.5, 2, size=6).tolist(), strict=True))
        return {
            "norms": {name: rng.uniform(0.1, 1, size=8).tolist() for name in VARIANCES[:2]},
            "variance": variance,
            "formula": {name: rng.uniform(0.5, 2) for name in ("uniform", "pareto")},
            "k": variance["unimodal"] / variance["joint"],
            "correlation": rng.uniform(-1, 1),
            "alpha": rng.uniform(),
            "alpha_above_half": rng.uniform(),
        }

    return lambda item: {"measured": {name: encoder() for name in item.run.setting.encoders}}


@pytest.fixture
def made_up(scope, made_up_noise):
    """Records of all measurements that the exhibits of the noise need."""
    return {item: made_up_noise(item) for item in noise.needs(scope)}
