"""The defaults of a run, by data set."""

import re
import sys

import pytest

from experiments import methods, models, presets
from experiments.__main__ import main
from experiments.data import DATASETS
from experiments.errors import UserError
from experiments.models import fusion


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
    "arguments", [[], ["train"], ["train", "--dataset"], ["train", "--seed", "x"]]
)
def test_without_a_data_set_the_preset_is_that_of_the_default(arguments):
    assert presets.of(arguments).dataset == "cg-digits"


def test_an_unknown_data_set_is_an_error_that_names_those_there_are():
    with pytest.raises(UserError, match="unknown data set 'imagenet'") as error:
        presets.of(["train", "--dataset", "imagenet", "--help"])
    assert all(name in str(error.value) for name in DATASETS)


def test_the_help_shows_the_defaults_of_the_data_set(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiments", "train", "--dataset", "nyuv2", "--help"])
    with pytest.raises(SystemExit):
        main()
    shown = capsys.readouterr().out
    assert "(default: segnet;" in shown
    assert "200)" in shown


def test_the_help_lists_every_name(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["experiments", "train", "--help"])
    with pytest.raises(SystemExit):
        main()
    shown = " ".join(re.sub("[│\n]", " ", capsys.readouterr().out).split())
    for registry in (DATASETS, models.MODELS, methods.METHODS, fusion.FUSIONS):
        assert f"; one of {', '.join(sorted(registry))})" in shown
