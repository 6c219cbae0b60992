"""The settings are those that the protocol fixed, and the same for every method."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest

from experiments.data import DATASETS
from experiments.methods import TITLES
from experiments.reports.paper.evidence import Run
from experiments.reports.paper.settings import SETTINGS, colors

PROTOCOL = (Path(__file__).parents[4] / "docs" / "protocol.md").read_text()


def rows():
    for line in PROTOCOL.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[0] in SETTINGS["quick"]:
            yield cells


def test_the_protocol_names_the_quick_settings_of_the_data_at_hand():
    assert [row[0] for row in rows()] == ["cg-mnist", "multi-mnist", "cg-digits", "uci-mfeat"]


@pytest.mark.parametrize("row", list(rows()), ids=lambda row: row[0])
def test_a_setting_is_that_of_the_protocol(row):
    name, _, model, training, test, epochs, steps = row
    setting = SETTINGS["quick"][name]
    optimization = setting.config.optimization
    assert setting.config.model == model
    assert optimization.epochs == int(epochs)
    assert optimization.learning_rate == float(re.search(r"learning rate of (0\.\d+)", PROTOCOL)[1])
    assert (optimization.batch_size, optimization.momentum, optimization.weight_decay) == (
        *(64, 0.9, 1e-4),
    )
    sizes = [
        int(re.search(r"[\d,]+", cell)[0].replace(",", "")) if "of" in cell else None
        for cell in (training, test)
    ]
    assert [setting.training_samples, setting.test_samples] == sizes
    per_epoch = int(re.search(r"[\d,]+", training)[0].replace(",", "")) // 64
    assert per_epoch * int(epochs) == int(steps)


@pytest.mark.parametrize("name", SETTINGS["paper"])
def test_the_paper_preset_is_that_of_train(name):
    setting = SETTINGS["paper"][name]
    config = setting.config
    assert dataclasses.replace(config, model="") == dataclasses.replace(
        DATASETS[config.dataset].preset, model=""
    )
    assert setting.training_samples is setting.test_samples is None


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_methods_differ_in_nothing_but_the_method(preset):
    setting = SETTINGS[preset]["cg-digits"]
    configs = {
        dataclasses.replace(Run(setting, method, 3).config, method="", diagnose=False)
        for method in TITLES
    }
    assert len(configs) == 1


def test_a_smaller_set_is_a_fixed_choice(tmp_path):
    whole = dataclasses.replace(SETTINGS["quick"]["cg-digits"])
    small = dataclasses.replace(whole, training_samples=100, test_samples=50)
    every, first, again = (each.splits(tmp_path, None, 0) for each in (whole, small, small))
    for split, size in (("train", 100), ("test", 50)):
        chosen = first[split]
        assert {len(field) for field in chosen.values()} == {size}
        assert all(np.array_equal(chosen[name], again[split][name]) for name in chosen)
        images = {image.tobytes() for image in every[split]["color"]}
        assert all(image.tobytes() in images for image in chosen["color"])


def test_settings_of_other_correlations_have_names_and_data_of_their_own(tmp_path):
    assert colors("quick", 1.0) is SETTINGS["quick"]["cg-digits"]
    half = colors("quick", 0.5)
    assert half.name == "cg-digits-correlation-0.5"
    whole = SETTINGS["quick"]["cg-digits"].splits(tmp_path, None, 0)
    other = half.splits(tmp_path, None, 0)
    assert np.array_equal(whole["train"]["gray"], other["train"]["gray"])
    assert not np.array_equal(whole["train"]["color"], other["train"]["color"])
