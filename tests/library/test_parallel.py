"""The same step on one device and on eight; `parallel_program.py` runs it."""

import json
import os
import pathlib
import subprocess
import sys

import parallel_program
import pytest
from compiling import virtual_devices

import mmpareto_jax as mmp


@pytest.fixture(scope="module")
def report():
    root = pathlib.Path(mmp.__file__).parents[1]
    result = subprocess.run(
        [sys.executable, "-W", "error", parallel_program.__file__],
        env=os.environ | virtual_devices(parallel_program.DEVICES) | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("case", parallel_program.CASES)
def test_eight_devices_take_the_step_of_one(report, case):
    deviation = report["deviations"][case]
    assert isinstance(deviation, float), deviation
    assert deviation <= 1e-6


@pytest.mark.parametrize("case", parallel_program.WAY_CASES)
def test_devices_with_parts_of_the_batch_take_the_step_of_the_whole(report, case):
    assert report["deviations"][case] <= 1e-5


def test_gradients_that_are_summed_already_are_not_averaged_again(report):
    assert "the gradient of 'audio/b' is the same on all devices" in report["refused"]
    assert "pass average_over to value_and_objective_grads" in report["refused"]


def test_an_update_of_sharded_gradients_exchanges_only_gramians(report):
    assert report["collectives"] == ["all-reduce"]


@pytest.mark.parametrize("way", ["shard_map", "explicit"])
def test_the_alignment_of_sharded_parameters(report, way):
    assert report["alignments"][way] <= 1e-5
