"""Every data set from its files to scores: prepared, trained for two steps, evaluated."""

import json
import math
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.config import Config, Optimization
from experiments.data import DATASETS
from experiments.engine import run as runs
from experiments.engine.evaluate import evaluate
from experiments.engine.logs import read
from experiments.engine.prepare import prepare
from experiments.errors import UserError

ROOT = Path(__file__).parents[3]

FROM_FILES = [name for name in DATASETS if name != "cg-digits"]

ALIKE = ("kinetics-sounds", "cg-mnist", "uci-mfeat")
"""Sets of the same kind as a quicker one."""

LINEAR = {"digits": "mean", "scenes": "dense"}

SCORES = {
    "segmentation": {"mean_iou", "pixel_accuracy"},
    "depth": {"absolute_error", "relative_error"},
}


@pytest.fixture
def files(tmp_path, write_files):
    def write(dataset):
        folder = tmp_path / "files"
        write_files("mnist" if dataset.endswith("mnist") else dataset, folder)
        return folder

    return write


def check(run_dir, dataset):
    """A record of one epoch and an evaluation that agrees with it, with scores of every head."""
    (record,) = read(run_dir / "metrics.jsonl")
    assert record["step"] >= 2
    assert all(math.isfinite(loss) for loss in record["loss"].values())
    heads = DATASETS[dataset].heads
    assert record["loss"].keys() == record["scores"].keys() == set(heads)
    for head, scores in record["scores"].items():
        assert scores.keys() == SCORES.get(head, {"accuracy", "macro_f1"})
    evaluation = json.loads((run_dir / "evaluation.json").read_text())
    for head, scores in evaluation.items():
        assert scores == pytest.approx(record["scores"][head], rel=1e-5)
    assert record["encoders"].keys() == set(DATASETS[dataset].encoders)


@pytest.mark.parametrize(
    "dataset",
    [pytest.param(name, marks=[pytest.mark.slow] if name in ALIKE else []) for name in FROM_FILES],
)
def test_a_set_is_prepared_trained_on_and_evaluated(
    dataset, files, few_steps, linear, tmp_path, capsys
):
    folder, prepared_dir, run_dir = files(dataset), tmp_path / "prepared", tmp_path / "run"
    prepare(dataset, folder, prepared_dir, workers=2 if dataset == "crema-d" else 0)
    assert f"\n{dataset}: " in capsys.readouterr().out
    model = LINEAR.get(DATASETS[dataset].kind, "linear")
    optimization = Optimization(batch_size=few_steps[dataset], epochs=1)
    config = Config(dataset=dataset, model=model, optimization=optimization)
    # What is prepared needs the files no longer.
    elsewhere = {"data_dir": tmp_path / "nowhere", "prepared_dir": prepared_dir, "workers": 0}
    runs.train(config, run_dir=run_dir, **elsewhere)
    evaluate(run_dir, **elsewhere)
    check(run_dir, dataset)


def test_what_is_prepared_is_not_prepared_again(files, tmp_path, capsys):
    folder, prepared_dir = files("nyuv2"), tmp_path / "prepared"
    (folder / "val" / "depth" / "0.npy").unlink()
    prepare("nyuv2", folder, prepared_dir, workers=0)
    first = capsys.readouterr()
    assert "samples per second" in first.out
    assert "nyuv2: left out 1 of 5 samples" in first.err
    prepare("nyuv2", tmp_path / "nowhere", prepared_dir, workers=0)
    second = capsys.readouterr().out
    assert "it was there before" in second
    assert "nyuv2: left out 1 of 5 samples" in second


def test_joint_training_is_refused_where_there_is_no_joint_loss(files, linear, tmp_path):
    few = Optimization(batch_size=20)
    config = Config(dataset="multi-mnist", model="mean", method="joint", optimization=few)
    with pytest.raises(UserError, match="this data set has only left and right"):
        runs.train(config, files("multi-mnist"), None, tmp_path / "run")


def command(verb, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "experiments", verb, *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


SMALL = {"crema-d": "mbt-small", "kinetics-sounds": "mbt-small", "nyuv2": "segnet-small"}
"""Backbones in place of the presets', that two cores can train."""


@pytest.mark.slow
@pytest.mark.parametrize("dataset", sorted(set(FROM_FILES) - {"cg-mnist", "multi-mnist"}))
def test_the_commands_do_the_same_with_a_real_backbone(dataset, files, few_steps, tmp_path):
    folder, prepared_dir, run_dir = files(dataset), tmp_path / "prepared", tmp_path / "run"
    places = ["--prepared-dir", prepared_dir, "--run-dir", run_dir]
    model = SMALL.get(dataset, DATASETS[dataset].model)
    sizes = ["--model", model, "--batch-size", min(few_steps[dataset], 10), "--epochs", 1]
    outcome = command(
        *("train", "--dataset", dataset, "--data-dir", folder, *places, *sizes, "--workers", 2)
    )
    assert outcome.returncode == 0, outcome.stderr
    outcome = command("evaluate", *places, "--workers", 1)
    assert outcome.returncode == 0, outcome.stderr
    assert "leaked" not in outcome.stderr
    check(run_dir, dataset)


@pytest.mark.slow
def test_a_run_on_streamed_data_resumes_to_the_same_parameters(files, tmp_path):
    folder, prepared_dir = files("crema-d"), tmp_path / "prepared"
    base = ["--dataset", "crema-d", "--model", "mbt-small", "--batch-size", 6, "--workers", 1]
    base += ["--data-dir", folder, "--prepared-dir", prepared_dir]
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    for arguments in (
        ["--run-dir", whole, "--epochs", 2],
        ["--run-dir", parted, "--epochs", 1],
        ["--run-dir", parted, "--epochs", 2, "--resume"],
    ):
        outcome = command("train", *base, *arguments)
        assert outcome.returncode == 0, outcome.stderr
    records = (read(run_dir / "metrics.jsonl") for run_dir in (whole, parted))
    for ours, theirs in zip(*records, strict=True):
        assert ours["loss"] == theirs["loss"]
        assert ours["scores"] == theirs["scores"]


@pytest.mark.parametrize("dataset", ["modelnet40", "nyuv2"])
def test_the_transforms_travel_to_processes_without_tfds(dataset):
    training = DATASETS[dataset].transforms.training
    assert pickle.loads(pickle.dumps(training)) is training
    code = (
        "import sys; sys.modules['tensorflow_datasets'] = None\n"
        f"from experiments.data.sets.{dataset} import evaluation, training\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
