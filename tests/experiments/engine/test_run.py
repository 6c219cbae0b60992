"""Runs on disk, through the command line, as a user starts them."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]
QUICK = ["--prepared-dir", "None", "--batch-size", "320"]


def command(*arguments):
    return [sys.executable, "-m", "experiments", *map(str, arguments)]


def run(*arguments):
    return subprocess.run(command(*arguments), cwd=ROOT, capture_output=True, text=True)


def parameters(run_dir):
    """The parameters of the last checkpoint, read without this project's code."""
    import orbax.checkpoint as ocp

    with ocp.CheckpointManager(run_dir / "checkpoints", item_names=("state",)) as manager:
        step = manager.latest_step()
        state = manager.restore(step, args=ocp.args.Composite(state=ocp.args.StandardRestore()))
    import jax

    return step, jax.tree.leaves(jax.device_get(state["state"]))


def checkpoint_steps(run_dir):
    """The steps of the whole checkpoints; one that is being written has a longer name."""
    return [int(path.name) for path in run_dir.glob("checkpoints/*") if path.name.isdigit()]


def records(run_dir):
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def finished(run_here, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "finished"
    outcome = run_here("train", *QUICK, "--epochs", 6, "--run-dir", run_dir)
    assert outcome.returncode == 0, outcome.stderr
    return run_dir


def test_a_run_leaves_logs_and_a_checkpoint(finished):
    assert [record["epoch"] for record in records(finished)] == [1, 2, 3, 4, 5, 6]
    assert list((finished / "tensorboard").glob("events*"))
    assert parameters(finished)[0] == 6 * 4


def test_evaluate_prints_accuracy_and_macro_f1_of_every_head(run_here, finished):
    outcome = run_here("evaluate", "--run-dir", finished, "--prepared-dir", "None")
    assert outcome.returncode == 0, outcome.stderr
    rows = {line.split()[0]: line.split()[1:] for line in outcome.stdout.splitlines()}
    assert set(rows) == {"joint", "gray", "color"}
    logged = records(finished)[-1]["scores"]
    for head, row in rows.items():
        found = dict(zip(row[::2], map(float, row[1::2]), strict=True))
        assert found == pytest.approx(logged[head], abs=1e-4)
    assert json.loads((finished / "evaluation.json").read_text()) == logged


def test_evaluate_probes_the_encoders_too(run_here, finished):
    outcome = run_here("evaluate", "--run-dir", finished, "--prepared-dir", "None", "--probe")
    assert outcome.returncode == 0, outcome.stderr
    scores = json.loads((finished / "evaluation.json").read_text())
    assert scores.keys() == {"joint", "gray", "color", "gray (probe)", "color (probe)"}
    assert scores["gray (probe)"]["accuracy"] > 0.5


def test_a_killed_run_resumes_to_the_same_parameters(finished, tmp_path):
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        command("train", *QUICK, "--epochs", 6, "--run-dir", killed),
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not checkpoint_steps(killed) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert process.returncode == -signal.SIGKILL, "the run ended before it was killed"

    outcome = run("train", *QUICK, "--epochs", 6, "--run-dir", killed, "--resume")
    assert outcome.returncode == 0, outcome.stderr
    ours, theirs = parameters(killed), parameters(finished)
    assert ours[0] == theirs[0]
    for left, right in zip(ours[1], theirs[1], strict=True):
        np.testing.assert_array_equal(left, right)
    without_times = [
        [{**record, "seconds": 0, "waiting": 0} for record in records(folder)]
        for folder in (killed, finished)
    ]
    assert without_times[0] == without_times[1]


def test_a_second_run_into_the_same_folder_is_refused_and_loses_nothing(
    refused, run_here, finished
):
    before = parameters(finished), records(finished)
    outcome = run_here("train", *QUICK, "--epochs", 6, "--run-dir", finished)
    refused(outcome, "--resume", str(finished))
    after = parameters(finished), records(finished)
    assert after[1] == before[1]
    for left, right in zip(before[0][1], after[0][1], strict=True):
        np.testing.assert_array_equal(left, right)


def test_a_checkpoint_of_another_configuration_is_refused(refused, run_here, finished):
    before = records(finished)
    arguments = ["--epochs", 6, "--run-dir", finished, "--resume", "--gamma", 2]
    refused(run_here("train", *QUICK, *arguments), "gamma 1.5 (here 2.0)", "--run-dir")
    assert records(finished) == before


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--method", "magic"], ["unknown method 'magic'", "mmpareto"]),
        (["train", "--dataset", "imagenet"], ["unknown data set 'imagenet'", "cg-mnist"]),
        (["train", "--model", "vgg"], ["unknown model 'vgg'", "cg-cnn"]),
        (["train", "--gamma", "0"], ["gamma must be positive"]),
        (["train", "--gamma", "-1.5"], ["gamma must be positive"]),
        (["train", "--epochs", "0"], ["epochs must be positive"]),
        (["train", "--seed", "-1"], ["seed must be at least 0"]),
        (["train", "--seed", "99999999999999999999"], ["seed must be", "below 2**32"]),
        (["train", "--learning-rate", "inf"], ["learning_rate must be positive and finite"]),
        (["train", "--weight-decay", "nan"], ["weight_decay must be finite and at least 0"]),
        (["evaluate", "--run-dir", "nowhere"], ["no checkpoint in nowhere"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_bad_input_ends_in_one_line_and_status_2(
    refused, tmp_path, monkeypatch, run_here, arguments, words
):
    monkeypatch.chdir(tmp_path)
    refused(run_here(*arguments), *words)
    assert not list(tmp_path.iterdir())


def test_bad_input_in_a_process_of_its_own_leaves_nothing_behind(refused, tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    outcome = subprocess.run(
        command("train", "--method", "magic"),
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    refused(outcome, "unknown method 'magic'", "mmpareto")
    assert not list(tmp_path.iterdir())


def test_a_resume_without_a_run_is_refused(refused, tmp_path, run_here):
    outcome = run_here("train", *QUICK, "--run-dir", tmp_path / "new", "--resume")
    refused(outcome, "no checkpoint in")


def test_a_damaged_checkpoint_is_refused_and_the_one_before_it_serves(
    refused, run_here, finished, tmp_path
):
    damaged = tmp_path / "damaged"
    shutil.copytree(finished, damaged)
    for path in (damaged / "checkpoints" / "24" / "state").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:7])
    evaluate = ("evaluate", "--run-dir", damaged, "--prepared-dir", "None")
    refused(run_here(*evaluate), "cannot read checkpoint", str(damaged / "checkpoints" / "24"))
    shutil.rmtree(damaged / "checkpoints" / "24")
    outcome = run_here(*evaluate)
    assert outcome.returncode == 0, outcome.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["table", "methods"], ["--methods", "--seeds", "--epochs"]),
        (["table", "3"], ["--preset", "--seeds", "--no-run"]),
        (["figure", "1"], ["--preset", "--seeds", "--no-run"]),
    ],
    ids=lambda value: " ".join(value),
)
def test_verbs_of_verbs_have_help(arguments, words, run_here):
    outcome = run_here(*arguments, "--help")
    assert outcome.returncode in (0, None)
    assert f"usage: python -m experiments {' '.join(arguments)}" in outcome.stdout
    assert all(word in outcome.stdout for word in words)
