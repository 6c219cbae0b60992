"""The defaults of a run, by data set."""

import pytest

from experiments import methods, models, presets
from experiments.data import DATASETS


@pytest.mark.parametrize("name", sorted(DATASETS))
def test_every_data_set_has_a_preset_whose_model_fits(name):
    preset = presets.of(["train", "--dataset", name])
    assert preset.dataset == name
    assert models.named(preset).make is not None
    methods.build(preset)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--dataset", "cg-mnist"],
        ["--seed", "1", "--dataset=cg-mnist"],
        ["--dataset", "cg-mnist", "-h"],
    ],
)
def test_the_data_set_is_found_wherever_it_stands(arguments):
    assert presets.of(["train", *arguments]).dataset == "cg-mnist"


@pytest.mark.parametrize(
    "arguments", [[], ["train"], ["train", "--dataset"], ["train", "--dataset", "imagenet"]]
)
def test_without_a_known_data_set_the_preset_is_that_of_the_default(arguments):
    assert presets.of(arguments).dataset == "cg-digits"
