"""Runs on a mesh and on several processes, against the same run on one device."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from compiling import virtual_devices
from jax.sharding import AbstractMesh
from jax.sharding import PartitionSpec as P

from experiments import data
from experiments.config import Config, Optimization
from experiments.data.miniatures import uci_mfeat
from experiments.engine import devices, processes, program
from experiments.engine.checkpoints import Checkpoints
from experiments.errors import UserError

ROOT = Path(__file__).parents[3]
QUICK = ["--prepared-dir", "None", "--batch-size", "320"]
"""Four steps an epoch, of either set below."""

SETS = ["uci-mfeat", pytest.param("cg-digits", marks=pytest.mark.slow)]
"""Six small encoders, which compile in no time, and two of convolutions."""


def command(verb, *arguments, devices=1, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "experiments", verb, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | virtual_devices(devices) | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(*started):
    outputs = [process.communicate() for process in started]
    for process, (_, error) in zip(started, outputs, strict=True):
        assert process.returncode == 0, error
    return outputs


def state_of(run_dir, arguments):
    """The last checkpoint, on one device, and the parameters at the beginning."""
    files = arguments[arguments.index("--data-dir") + 1] if "--data-dir" in arguments else None
    with Checkpoints(run_dir) as checkpoints:
        config = checkpoints.config()
        compiled = program.build(config, data.load(config.dataset, files))
        state = checkpoints.restore(compiled.initial_state(1), config)
    assert all(leaf.sharding.num_devices == 1 for leaf in jax.tree.leaves(state))
    return jax.device_get((state, compiled.initial_state(config.seed).params))


def records(run_dir):
    return [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]


def assert_same_run(ours, theirs, epochs, arguments):
    """Losses, accuracies and state agree; a sample or two may fall on the other side.

    Parameters are compared by how far each tensor has moved. Number by number they may differ by
    more than rounding: where a ReLU's input is zero but for rounding, its derivative is 0 in one
    run and 1 in the other, for one of the 320 samples of a batch.
    """
    assert [record["epoch"] for record in records(ours)] == list(range(1, epochs + 1))
    for left, right in zip(records(ours), records(theirs), strict=True):
        for head, loss in left["loss"].items():
            assert loss == pytest.approx(right["loss"][head], rel=1e-5)
            accuracies = [record["scores"][head]["accuracy"] for record in (left, right)]
            assert accuracies[0] == pytest.approx(accuracies[1], abs=0.005)
    (state, initial), (expected, _) = (state_of(run, arguments) for run in (ours, theirs))
    assert int(state.step) == 4 * epochs
    np.testing.assert_array_equal(state.key, expected.key)
    trees = map(jax.tree.leaves, (state.params, expected.params, initial))
    for left, right, start in zip(*trees, strict=True):
        assert np.linalg.norm(left - right) <= 1e-3 * np.linalg.norm(right - start)


@pytest.fixture(scope="module", params=SETS)
def arguments(request, tmp_path_factory):
    """Of a run of four steps an epoch."""
    if request.param == "cg-digits":
        return QUICK
    files = tmp_path_factory.mktemp("files")
    uci_mfeat.write(files)
    return ["--dataset", request.param, "--data-dir", files, *QUICK]


@pytest.fixture(scope="module")
def one_device(arguments, run_here, tmp_path_factory):
    """One and two epochs on one device."""
    folder = tmp_path_factory.mktemp("one")
    one, two = folder / "one", folder / "two"
    outcome = run_here("train", *arguments, "--epochs", 2, "--run-dir", two)
    assert outcome.returncode == 0, outcome.stderr
    shutil.copytree(two, one)
    shutil.rmtree(one / "checkpoints" / "8")
    first, _ = (one / "metrics.jsonl").read_text().splitlines(keepends=True)
    (one / "metrics.jsonl").write_text(first)
    return one, two


def test_a_mesh_trains_as_one_device_does(one_device, arguments, tmp_path):
    run = tmp_path / "run"
    mesh = ["--mesh", "data=4,model=2"]
    finish(command("train", *arguments, "--epochs", 1, "--run-dir", run, *mesh, devices=8))
    assert_same_run(run, one_device[0], 1, arguments)


@pytest.mark.slow
def test_two_processes_go_on_where_one_device_stopped(one_device, arguments, tmp_path):
    one, two = one_device
    run = tmp_path / "run"
    shutil.copytree(one, run)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    shared = {"JAX_COORDINATOR_ADDRESS": address, "JAX_NUM_PROCESSES": "2"}
    further = ["--epochs", 2, "--run-dir", run, "--resume", "--distributed", "--mesh", "model=2"]
    (first, _), (second, errors) = finish(
        *(
            command("train", *arguments, *further, devices=2, **shared, JAX_PROCESS_ID=str(process))
            for process in range(2)
        )
    )
    assert "epoch 2" in first
    assert "epoch 2" not in second  # what there is comes from gloo
    assert "step" not in errors  # no progress bar
    assert_same_run(run, two, 2, arguments)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", ["cg-digits"], indirect=True, scope="module")
def test_eight_devices_go_on_where_one_stopped_and_the_reverse(one_device, arguments, tmp_path):
    one, two = one_device
    run = tmp_path / "run"
    shutil.copytree(one, run)
    finish(command("train", *arguments, "--epochs", 2, "--run-dir", run, "--resume", devices=8))
    assert_same_run(run, two, 2, arguments)
    finish(command("train", *arguments, "--epochs", 3, "--run-dir", run, "--resume"))
    three = tmp_path / "three"
    shutil.copytree(two, three)
    finish(command("train", *arguments, "--epochs", 3, "--run-dir", three, "--resume"))
    assert_same_run(run, three, 3, arguments)


def test_kernels_are_spread_over_model_and_nothing_else_is(quick, digits):
    """Their last axis, where it divides; the Gramian of two objectives has one that does."""
    state = program.build(quick(), digits).initial_state(0)
    mesh = AbstractMesh((4, 2), ("data", "model"))
    specs = jax.tree.map(lambda sharding: sharding.spec, devices.of_state(mesh, state))
    assert specs.params["encoders"]["gray"]["conv1"]["kernel"] == P(None, None, None, "model")
    assert specs.params["encoders"]["gray"]["dense"]["kernel"] == P(None, "model")
    assert specs.params["encoders"]["gray"]["dense"]["bias"] == P()
    momentum = specs.opt_state[1][1][0].trace
    assert momentum["encoders"]["gray"]["dense"]["kernel"] == P(None, "model")
    assert set(jax.tree.leaves(specs.opt_state[0])) == {P()}
    three = AbstractMesh((1, 3), ("data", "model"))
    classifier = devices.of_state(three, state).params["heads"]["joint"]["kernel"]
    assert classifier.spec == P()


def test_samples_are_filled_up_to_divide_among_the_devices():
    placed = devices.place_samples(devices.make_mesh(), {"x": np.arange(5)})
    assert placed["x"].shape[0] % jax.device_count() == 0
    np.testing.assert_array_equal(placed["x"][:5], np.arange(5))


@pytest.mark.parametrize(
    ("specification", "message"),
    [
        ("data=4,model=2", "mesh data=4,model=2 takes 8 devices, and there are 1"),
        ("model=2", "mesh data=1,model=2 takes 2 devices, and there are 1"),
        ("data=1,expert=2", "unknown mesh axis 'expert': choose one of data, model"),
        ("data", "cannot read mesh 'data': write it as data=4,model=2"),
        ("data=0", "cannot read mesh 'data=0'"),
        ("data=1,data=1", "cannot read mesh 'data=1,data=1'"),
    ],
)
def test_a_mesh_that_does_not_fit_is_refused(specification, message):
    with pytest.raises(UserError, match=message):
        devices.make_mesh(specification)


def test_a_batch_that_the_devices_cannot_share_is_refused(digits):
    config = Config(optimization=Optimization(batch_size=64))
    with pytest.raises(UserError, match="batch_size 64 must be a multiple of the 3 devices"):
        program.build(config, digits, AbstractMesh((3, 1), ("data", "model")))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"JAX_NUM_PROCESSES": "many"}, "JAX_NUM_PROCESSES must be a number, got 'many'"),
        ({}, "cannot join the other processes .*: set JAX_COORDINATOR_ADDRESS"),
    ],
)
def test_a_run_without_its_other_processes_is_refused(monkeypatch, environment, message):
    def initialize(num_processes, process_id):
        raise ValueError("coordinator_address should be defined.")

    monkeypatch.setattr(jax.distributed, "initialize", initialize)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=message):
        processes.join()
