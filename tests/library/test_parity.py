"""Ten steps of training on one device and on many; `parity_program.py` runs them."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import parity_program
import pytest
from compiling import virtual_devices

import mmpareto_jax as mmp

TOLERANCE = 1e-5
"""Relative to the largest entry of each array, after ten steps that change it as a whole."""


def start(devices, *arguments):
    root = pathlib.Path(mmp.__file__).parents[1]
    return subprocess.Popen(
        [sys.executable, "-W", "error", parity_program.__file__, *arguments],
        env=os.environ | virtual_devices(devices) | {"PYTHONPATH": str(root)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def report_of(processes):
    outputs = [process.communicate() for process in processes]
    for process, (_, error) in zip(processes, outputs, strict=True):
        assert process.returncode == 0, error
    return json.loads(outputs[0][0].splitlines()[-1])  # after what gloo prints


def report_of_one_process(arrangements):
    return report_of([start(8, "0", "1", "", *arrangements)])


@pytest.fixture(scope="module")
def one_process():
    return report_of_one_process(parity_program.QUICK)


def report_of_two_processes(arrangements):
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    return report_of([start(2, str(process), "2", address, *arrangements) for process in range(2)])


@pytest.fixture(scope="module")
def two_processes():
    return report_of_two_processes(parity_program.IN_PROCESSES)


def check(report, arrangement):
    deviations = report["deviations"][arrangement]
    assert isinstance(deviations, dict), deviations
    assert set(deviations) == {"mmpareto", "pcgrad", "gradnorm"}
    assert max(deviations.values()) <= TOLERANCE, deviations


@pytest.mark.slow
@pytest.mark.parametrize("arrangement", parity_program.QUICK)
def test_eight_devices_train_as_one_does(one_process, arrangement):
    check(one_process, arrangement)


def other_than(names):
    return [name for name in parity_program.ARRANGEMENTS if name not in names]


@pytest.mark.slow
def test_eight_devices_train_as_one_does_in_every_other_arrangement():
    others = other_than(parity_program.QUICK)
    report = report_of_one_process(others)
    for arrangement in others:
        check(report, arrangement)


@pytest.mark.parametrize("arrangement", parity_program.IN_PROCESSES)
def test_two_processes_train_as_one_device_does(two_processes, arrangement):
    check(two_processes, arrangement)


@pytest.mark.slow
def test_two_processes_train_as_one_device_does_in_every_other_arrangement():
    others = other_than(parity_program.IN_PROCESSES)
    report = report_of_two_processes(others)
    for arrangement in others:
        check(report, arrangement)


@pytest.mark.slow
def test_the_training_conflicts_and_moves(one_process):
    """Else the deviations would say nothing: both branches are taken, none by a hair."""
    course = one_process["course"]
    assert 0.2 <= course["share of conflict"] <= 0.95
    assert course["smallest cosine"] > 1e-4
    assert course["change of the parameters"] > 0.5
