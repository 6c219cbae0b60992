"""The training methods, by name."""

import re
from pathlib import Path

import numpy as np
import pytest

import mmpareto_jax as mmp
from experiments import methods, program
from experiments.config import Config
from experiments.errors import UserError
from experiments.logs import RunLog, read
from experiments.methods import rivals
from experiments.methods._method import every_objective
from experiments.train import train

CONFIG = Path(methods.__file__).parents[1] / "config.py"


@pytest.mark.parametrize("method", sorted(methods.METHODS))
def test_every_method_trains_without_a_second_compilation(linear, digits, method, tmp_path):
    compiled = program.build(linear(method=method), digits)
    records = []
    train(compiled, compiled.initial_state(0), 1, lambda state, record: records.append(record))
    assert compiled.step._cache_size() == 1
    (record,) = records
    assert record["step"] == compiled.steps_per_epoch
    assert set(record["accuracy"]) <= {"joint", "gray", "colour"}
    assert np.all(np.isfinite(list(record["loss"].values())))
    with RunLog(tmp_path, epochs=0) as log:
        log.write(record)
    assert read(tmp_path / "metrics.jsonl") == records


def test_every_weighting_of_the_library_is_a_method_or_named_as_none():
    weightings = set(mmp.weightings.__all__) - {"Weighting"}
    elsewhere = {*rivals.BASELINES, *rivals.NOT_A_METHOD}
    names = {name.replace("_", "-") for name in weightings - elsewhere}
    assert names <= set(methods.METHODS)
    assert "constant" not in methods.METHODS


def test_the_help_names_every_method():
    documented = re.search(r'"""Method: (.*?)"""', CONFIG.read_text(), flags=re.DOTALL)[1]
    names = re.findall(r"[a-z]+(?:-[a-z]+)*", documented)
    words = {"or", "a", "rival", "with", "its", "published", "defaults"}
    assert set(names) - words == set(methods.METHODS)


def test_an_unknown_method_is_an_error_that_names_those_there_are():
    with pytest.raises(UserError, match="unknown method 'magic'") as error:
        methods.build(Config(method="magic"))
    assert all(name in str(error.value) for name in methods.METHODS)
    assert "\n" not in str(error.value)


def test_a_weighting_is_given_the_losses_of_its_encoder_in_order(linear, digits, monkeypatch):
    weighting = mmp.Weighting(
        init=lambda num_objectives: (), update=lambda gramian, state, losses: (losses, state)
    )
    method = every_objective(lambda encoders: mmp.aggregate(weighting, encoders))
    monkeypatch.setitem(methods.METHODS, "losses", lambda config: method)
    compiled = program.build(linear(method="losses"), digits)
    state = compiled.initial_state(0)
    _, metrics = compiled.step(state, compiled.train_set, compiled.draw_order(state))
    for name, encoder in metrics["encoders"].items():
        wanted = [metrics["loss"]["joint"], metrics["loss"][name]]
        np.testing.assert_allclose(encoder.weights, wanted, rtol=1e-6)
