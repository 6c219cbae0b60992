"""More than two modalities: the six-view digits, with every method that admits them."""

import jax
import numpy as np
import pytest

from experiments.config import Config, Optimization
from experiments.data.miniatures import uci_mfeat as miniature
from experiments.data.sets import uci_mfeat
from experiments.engine import program
from experiments.engine.loop import train
from experiments.errors import UserError
from experiments.methods import BALANCING

OF_TWO = ("greedy",)
"""Methods that compare two modalities and no more."""

OTHERS = sorted({"joint", "uniform", "mmpareto", *BALANCING} - {*OF_TWO, "pmr"})
"""Methods that have nothing of their own for more than two, or take long to compile."""


@pytest.fixture(scope="module")
def six_views(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mfeat")
    miniature.write(folder)
    return uci_mfeat.arrays(folder)


def config(method):
    optimization = Optimization(epochs=1, batch_size=300, learning_rate=0.1)
    return Config(dataset="uci-mfeat", model="linear", method=method, optimization=optimization)


@pytest.mark.parametrize(
    "method",
    [
        "pmr",
        *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS),
    ],
)
def test_six_modalities_train_in_one_program(linear, six_views, method):
    compiled = program.build(config(method), six_views)
    before = jax.device_get(compiled.initial_state(0).params["encoders"])
    records = []
    state = train(compiled, compiled.initial_state(0), 1, lambda _, record: records.append(record))
    assert compiled.step._cache_size() == 1
    assert np.all(np.isfinite(list(records[0]["loss"].values())))
    assert records[0]["scores"].keys() == compiled.tasks.keys()
    for view in uci_mfeat.VIEWS:
        moved = np.asarray(state.params["encoders"][view]["kernel"]) - before[view]["kernel"]
        assert np.any(moved != 0), view


@pytest.mark.parametrize("method", OF_TWO)
def test_a_method_of_two_modalities_says_so(linear, six_views, method):
    with pytest.raises(UserError, match="two modalities"):
        program.build(config(method), six_views)
