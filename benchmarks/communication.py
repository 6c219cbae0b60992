"""The verb ``communication``: count the bytes that data-parallel devices exchange in a step.

The bytes are counted from the collectives of the compiled step (see
:mod:`benchmarks._collectives`) for virtual CPU devices. The network is the ResNet-18 audio-video
network with small inputs, whose batch statistics are exchanged too. XLA partitions these steps
under ``jit``: the uniform baseline (training on the sum of the losses), the naive step (the
gradients of each objective are averaged, then combined), and the strategies "gramian" and
"features" of ``mmp.integrate``. The gramian strategy also runs in ``shard_map`` on losses that are
averaged over devices. "Exact on shards" is ``mmp.mmpareto(encoders, average_over="data")`` in
``shard_map``.
"""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks import _report
from experiments.data.storage.files import make_folder
from experiments.engine.devices import description
from experiments.markdown import grid

COMMAND = "python -m benchmarks communication"
NAMES = ("naive", "gramian under jit", "gramian in shard_map", "exact on shards", "features")


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Settings of this benchmark: for how many devices the steps are compiled."""

    devices: tuple[int, ...] = (8, 64, 256)
    """Numbers of virtual devices. On eight or fewer, a small step also runs, for comparison."""


def main(protocol: Protocol, output: Path = Path("runs", "bench-communication")) -> None:
    """Count the bytes that data-parallel steps exchange, relative to the uniform step.

    Args:
      protocol: For how many devices the steps are compiled.
      output: Folder for the table, as Markdown and JSON.
    """
    from tqdm import tqdm

    make_folder(output)
    found = [measure(devices) for devices in tqdm(protocol.devices, unit="mesh")]
    table = "\n".join(
        [
            "Bytes that a device sends in a step, over those of the uniform step:\n",
            markdown(found),
            f"`{COMMAND}`: {found[0]['parameters'] / 1e6:.1f} million parameters, virtual devices, "
            f"compiled on {description()}; collectives counted as rings.\n",
        ]
    )
    _report.save(output, table, {"command": COMMAND, "device": description(), "meshes": found})


def measure(devices: int) -> dict[str, Any]:
    """Count the bytes that a device sends in each step, in a new process with virtual devices.

    Args:
      devices: Number of virtual CPU devices.

    Returns:
      The report of :mod:`benchmarks._problems.data_parallel`: "devices", "parameters" (their
      number) and "steps", by name, each with "bytes", "by kind" of collective and, on at most eight
      devices, "deviation" from the update on one device.
    """
    flags = (
        f"--xla_force_host_platform_device_count={devices} "
        "--xla_backend_optimization_level=0"  # no effect on collectives; compiles faster
    )
    result = subprocess.run(
        [sys.executable, "-m", "benchmarks._problems.data_parallel"],
        env=os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


def markdown(found: list[dict[str, Any]]) -> str:
    """Write a Markdown table of bytes, a row for each number of devices, and the deviations.

    Args:
      found: What :func:`measure` returned for each number of devices.
    """
    rows = []
    for mesh in found:
        uniform = mesh["steps"]["uniform"]["bytes"]
        ratios = [f"{mesh['steps'][name]['bytes'] / uniform:.3f}" for name in NAMES]
        rows.append([str(mesh["devices"]), f"{uniform / 1e6:.1f} MB", *ratios])
    text = grid(["devices", "uniform step", *NAMES], rows)
    for mesh in found:
        deviations = {
            name: step["deviation"] for name, step in mesh["steps"].items() if "deviation" in step
        }
        if deviations:
            listed = ", ".join(f"{name} {value:.0e}" for name, value in deviations.items())
            text += (
                f"\nThe update on {mesh['devices']} devices against that on one, norm of the "
                "difference over norm, with one residual block in place of ResNet-18, float64: "
                f"{listed}.\n"
            )
    return text
