"""The examples: each runs on eight virtual devices, and asserts what it claims."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from compiling import virtual_devices

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted(path.name for path in (ROOT / "examples").glob("*.py"))
ALONE = [name for name in EXAMPLES if name != "several_processes.py"]
QUICK = ("data_parallel.py", "half_precision.py")


def start(name, *arguments, devices=8):
    return subprocess.Popen(
        [sys.executable, "-W", "error", ROOT / "examples" / name, *arguments],
        env=os.environ | virtual_devices(devices) | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[] if name in QUICK else [pytest.mark.slow]) for name in ALONE],
)
def test_an_example_runs(name):
    process = start(name)
    output, error = process.communicate()
    assert process.returncode == 0, error
    assert 1 <= len(output.splitlines()) <= 4


@pytest.mark.slow
def test_two_processes_of_two_devices_run_the_example_of_several():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    started = [start("several_processes.py", str(i), "2", address, devices=2) for i in range(2)]
    outputs = [process.communicate() for process in started]
    for process, (_, error) in zip(started, outputs, strict=True):
        assert process.returncode == 0, error
    assert "2 processes with 4 devices took the step of one" in outputs[0][0]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name):
    assert len((ROOT / "examples" / name).read_text().splitlines()) <= 62


def test_the_list_of_examples_is_whole():
    listed = re.findall(r"\]\((\w+\.py)\)", (ROOT / "examples" / "README.md").read_text())
    assert sorted(listed) == EXAMPLES
