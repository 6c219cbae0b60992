"""What can go wrong around a run: each in one line that says what to do, and nothing lost."""

import errno
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from experiments.data.storage.exclusive import exclusive
from experiments.engine import run as runs
from experiments.engine.logs import RunLog, read

ROOT = Path(__file__).parents[3]
QUICK = ("--model", "linear", "--prepared-dir", "None", "--batch-size", "320")


@pytest.fixture
def train(linear, run_here):
    """Trains the linear network from the command line, in this process."""

    def run(run_dir, *arguments, epochs=3):
        return run_here("train", *QUICK, "--epochs", epochs, "--run-dir", run_dir, *arguments)

    return run


def steps(run_dir):
    return sorted(int(path.name) for path in run_dir.glob("checkpoints/*"))


def epochs(run_dir):
    return [record["epoch"] for record in read(run_dir / "metrics.jsonl")]


def at_epoch(number, act, monkeypatch):
    """Lets something happen when the log of an epoch is to be written."""
    write = RunLog.write

    def instead(self, record):
        if record["epoch"] == number:
            act()
        write(self, record)

    monkeypatch.setattr(RunLog, "write", instead)


def test_an_interrupted_run_says_how_to_go_on_and_does(train, tmp_path, monkeypatch):
    run_dir = tmp_path / "run"
    with monkeypatch.context() as patched:
        at_epoch(2, lambda: os.kill(os.getpid(), signal.SIGINT), patched)
        outcome = train(run_dir)
    assert outcome.returncode == 130
    (line,) = [line for line in outcome.stderr.splitlines() if "interrupted" in line]
    command = f"python -m experiments train .*--run-dir {run_dir} --resume"
    assert re.fullmatch(f"interrupted: step 4 is saved, go on with: {command}", line)
    assert outcome.stderr.endswith(f"{line}\n")
    assert steps(run_dir) == [4]
    resumed = train(run_dir, "--resume")
    assert resumed.returncode == 0, resumed.stderr
    assert epochs(run_dir) == [1, 2, 3]


def test_the_way_on_is_the_same_command_where_nothing_is_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["experiments", "train", "--run-dir", "a b"])
    command = "python -m experiments train --run-dir 'a b'"
    assert runs._the_way_on(tmp_path) == f"no epoch is saved yet, begin anew with: {command}"
    (tmp_path / "checkpoints" / "8").mkdir(parents=True)
    (tmp_path / "checkpoints" / "12.orbax-checkpoint-tmp").mkdir()
    assert runs._the_way_on(tmp_path) == f"step 8 is saved, go on with: {command} --resume"
    monkeypatch.setattr(sys, "argv", ["experiments", "train", "--resume"])
    assert runs._the_way_on(tmp_path).endswith("train --resume")


def test_a_full_disk_ends_a_run_with_what_is_saved(train, refused, tmp_path, monkeypatch):
    def full():
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "metrics.jsonl")

    run_dir = tmp_path / "run"
    with monkeypatch.context() as patched:
        at_epoch(2, full, patched)
        refused(
            train(run_dir), "No space left on device", "make room", "step 4 is saved", "--resume"
        )
    assert (steps(run_dir), epochs(run_dir)) == ([4], [1])


def test_a_reader_of_the_output_that_goes_away_loses_no_epoch(
    train, refused, tmp_path, monkeypatch
):
    def closed(*_, **__):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))

    monkeypatch.setattr("tqdm.tqdm.write", closed)
    run_dir = tmp_path / "run"
    refused(train(run_dir), "nobody reads the output", "step 4 is saved", "--resume")
    assert (steps(run_dir), epochs(run_dir)) == ([4], [1])


@pytest.mark.parametrize("verb", ["train", "evaluate"])
def test_a_run_that_is_not_there_is_refused_and_leaves_nothing(
    verb, run_here, refused, tmp_path, monkeypatch
):
    def imported(*_):
        pytest.fail("the devices are asked for")

    monkeypatch.setattr("experiments.engine.devices.make_mesh", imported)
    arguments = ("--resume",) if verb == "train" else ()
    refused(run_here(verb, "--run-dir", tmp_path / "new", *arguments), "no checkpoint in")
    (tmp_path / "file").write_text("")
    not_a_folder = f"error: {tmp_path / 'file'} is a file, not a folder: name another folder"
    refused(run_here(verb, "--run-dir", tmp_path / "file", *arguments), not_a_folder)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_resume_without_a_run_does_not_start_the_devices(tmp_path):
    script = (
        "import sys; from experiments.__main__ import main\n"
        "from jax._src.xla_bridge import backends_are_initialized\n"
        f"sys.argv = ['experiments', 'train', '--resume', '--run-dir', {str(tmp_path / 'new')!r}]\n"
        "try: main()\n"
        "finally: print(backends_are_initialized(), 'tensorflow_datasets' in sys.modules)"
    )
    outcome = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True
    )
    assert (outcome.returncode, outcome.stdout) == (2, "False False\n")


def test_two_trainings_in_one_folder_are_refused(train, refused, tmp_path):
    with exclusive(tmp_path / "run"):
        refused(train(tmp_path / "run"), "another process works in", "another folder")


@pytest.mark.parametrize("place", ["file", "below a file"])
def test_a_run_folder_that_cannot_be_is_refused(place, train, refused, tmp_path):
    (tmp_path / "file").write_text("")
    run_dir = tmp_path / "file" if place == "file" else tmp_path / "file" / "run"
    outcome = train(run_dir)
    refused(outcome, f"error: {tmp_path / 'file'} is a file, not a folder: name another folder")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_file_in_the_place_of_prepared_sets_is_refused(run_here, refused, tmp_path):
    (tmp_path / "file").write_text("")
    outcome = run_here("train", "--prepared-dir", tmp_path / "file", "--run-dir", tmp_path / "run")
    refused(outcome, f"error: {tmp_path / 'file'} is a file, not a folder: name another folder")


@pytest.mark.parametrize("verb", [("report",), ("table", "3"), ("figure", "2")])
def test_a_file_in_the_place_of_results_is_refused(verb, run_here, refused, tmp_path):
    (tmp_path / "file").write_text("")
    outcome = run_here(*verb, "--results-dir", tmp_path / "file")
    refused(outcome, f"error: {tmp_path / 'file'} is a file, not a folder: name another folder")


@pytest.mark.parametrize("verb", [("demo",), ("table", "methods")])
def test_a_file_in_the_place_of_the_output_is_refused_at_once(
    verb, run_here, refused, tmp_path, monkeypatch
):
    monkeypatch.setattr("experiments.engine.program.build", lambda *_: pytest.fail("work began"))
    (tmp_path / "file").write_text("")
    outcome = run_here(*verb, "--output", tmp_path / "file")
    refused(outcome, f"error: {tmp_path / 'file'} is a file, not a folder: name another folder")


def test_a_run_that_cannot_begin_leaves_nothing(train, refused, tmp_path):
    outcome = train(tmp_path / "a" / "run", "--weights", tmp_path / "absent.safetensors")
    refused(outcome, "no pretrained weights for linear")
    outcome = train(tmp_path / "a" / "run", "--batch-size", 9999)
    refused(outcome, "batch_size 9999 exceeds")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["gs:", "a[0:2]", "a\\b"])
def test_a_run_folder_that_orbax_misreads_is_refused_at_the_start(name, train, refused, tmp_path):
    refused(train(tmp_path / name), "name another --run-dir")
    assert not list(tmp_path.iterdir())


def test_a_run_folder_of_odd_characters(train, run_here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name = "x/../a:b c%20d#e?f&größe-訓練{a}*~@3'"
    for arguments in ((), ("--resume",)):
        outcome = train(Path(name), *arguments, epochs=1 + len(arguments))
        assert outcome.returncode == 0, outcome.stderr
    evaluated = run_here("evaluate", "--run-dir", name, "--prepared-dir", "None")
    assert evaluated.returncode == 0, evaluated.stderr
    assert epochs(Path(name)) == [1, 2]


def test_evaluate_prints_what_it_cannot_write(train, run_here, refused, tmp_path, monkeypatch):
    run_dir = tmp_path / "run"
    train(run_dir, epochs=1)
    before = sorted(run_dir.rglob("*"))

    def read_only(partial, path):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(partial))

    monkeypatch.setattr(os, "replace", read_only)
    outcome = run_here("evaluate", "--run-dir", run_dir, "--prepared-dir", "None")
    refused(outcome, "evaluation.json: Read-only file system", "make it writable")
    assert len(outcome.stdout.splitlines()) == 3  # a line for each head
    assert sorted(run_dir.rglob("*")) == before
