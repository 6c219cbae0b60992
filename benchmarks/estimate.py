"""The verb ``estimate``: seconds of a data-parallel step on a large system, by calculation.

K objectives train all P parameters, which are replicated on n chips. Each chip moves, in rings,
b = (n - 1) / n times the bytes of one gradient for a reduce-scatter or an all-gather:

====================  =================  ============================
step                  bytes moved        computation over the uniform
====================  =================  ============================
uniform               2 b                1
naive                 2 K b              (1 + 2 K) / 3
exact on shards       (K + 1) b          (1 + 2 K) / 3
gramian in shard_map  2 K b + 2 b        (3 + 2 K) / 3
features              2 b                1
====================  =================  ============================

The computation counts one forward pass and, at twice its operations, each backward pass. The
gramian strategy has one more, and must average every objective's gradient to get at the Gramian of
the averages; under ``jit`` XLA may send activations as well. Integration reads each of K gradients
twice and writes one; on shards every chip does so for its n-th part, and the gramian strategy reads
them once. Nothing overlaps here, links have no latency, and losses that share only a part of the
network cost less: an upper bound for a first look. ``tests/experiments/test_estimate.py`` holds the
bytes against those counted in compiled programs.
"""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from benchmarks import _report
from experiments.markdown import grid

COMMAND = "python -m benchmarks estimate"


@dataclasses.dataclass(frozen=True)
class System:
    """A network and what it is trained on."""

    parameters: float = 7e9
    """Parameters that all objectives share."""
    objectives: int = 2
    """Losses, K."""
    chips: int = 256
    """Data-parallel chips, n."""
    link_gbps: float = 400.0
    """Gigabits per second that a chip sends."""
    memory_gbs: float = 1000.0
    """Gigabytes per second that a chip reads or writes in its memory."""
    uniform_seconds: float = 1.0
    """Seconds that a chip computes in the uniform step."""
    gradient_bytes: float = 4.0
    """Bytes per parameter of a gradient."""


class Step(NamedTuple):
    """What a step takes on one chip."""

    moved: float  # bytes that it sends
    computing: float  # seconds
    communicating: float
    integrating: float
    gradients: float  # how many gradients it holds at once

    @property
    def seconds(self) -> float:
        """All, one after the other."""
        return self.computing + self.communicating + self.integrating


def estimate(system: System) -> dict[str, Step]:
    """Estimate the time of the step for each way to train.

    Example:
      >>> steps = estimate(System(parameters=1e9, objectives=2, chips=2, link_gbps=8))
      >>> steps["uniform"].communicating, steps["exact on shards"].communicating
      (4.0, 6.0)
    """
    k = system.objectives
    gradient = system.gradient_bytes * system.parameters
    ring = gradient * (system.chips - 1) / system.chips
    read = k * gradient / (1e9 * system.memory_gbs)
    streamed = read * (2 * k + 1) / k
    each = {
        "uniform": (2 * ring, 1.0, 0.0, 1.0),
        "naive": (2 * k * ring, (1 + 2 * k) / 3, streamed, k),
        "exact on shards": ((k + 1) * ring, (1 + 2 * k) / 3, streamed / system.chips, k),
        "gramian in shard_map": ((2 * k + 2) * ring, (3 + 2 * k) / 3, read, 1.0),
        "features": (2 * ring, 1.0, 0.0, 1.0),
    }
    return {
        name: Step(
            moved,
            computation * system.uniform_seconds,
            moved / (1e9 / 8 * system.link_gbps),
            integrating,
            gradients,
        )
        for name, (moved, computation, integrating, gradients) in each.items()
    }


def main(system: System, output: Path = Path("runs", "bench-estimate")) -> None:
    """Calculate the seconds of a data-parallel step on a system that is not at hand.

    Args:
      system: The network and what it is trained on.
      output: Folder for the table, as Markdown and JSON.
    """
    steps = estimate(system)
    table = markdown(system, steps)
    results = {
        "command": COMMAND,
        "system": dataclasses.asdict(system),
        "steps": {name: step._asdict() for name, step in steps.items()},
    }
    _report.save(output, table, results)


def markdown(system: System, steps: dict[str, Step]) -> str:
    """Write a row for each way to train."""
    rows = [
        [
            name,
            f"{step.moved / 1e9:.1f}",
            f"{step.computing:.2f}",
            f"{step.communicating:.2f}",
            f"{step.integrating:.3f}",
            f"{step.seconds:.2f}",
            f"{step.gradients:.0f}",
        ]
        for name, step in steps.items()
    ]
    head = ["step", "GB sent", "computing, s", "sending, s", "integrating, s", "in all, s"]
    return (
        grid([*head, "gradients held"], rows)
        + f"\n`{COMMAND}`, a calculation, no measurement: {system.parameters:.3g} parameters, "
        f"{system.objectives} objectives, {system.chips} chips, {system.link_gbps:g} Gbit/s links, "
        f"{system.memory_gbs:g} GB/s memory, {system.uniform_seconds:g} s of computation in the "
        f"uniform step, {system.gradient_bytes:g} bytes per parameter.\n"
    )
