"""The verb ``estimate``: calculate the seconds of a data-parallel step on a large system.

K objectives train all P parameters, which are replicated on n chips. Collectives run as rings, so
in a reduce-scatter or an all-gather each chip sends b bytes: (n - 1) / n times the bytes of one
gradient. The steps send and compute:

====================  =================  ============================
step                  bytes moved        computation over the uniform
====================  =================  ============================
uniform               2 b                1
naive                 2 K b              (1 + 2 K) / 3
exact on shards       (K + 1) b          (1 + 2 K) / 3
gramian in shard_map  2 K b + 2 b        (3 + 2 K) / 3
features              2 b                1
====================  =================  ============================

The computation counts one forward pass, and each backward pass as twice its operations. The gramian
strategy has one more backward pass, and must average every objective's gradient to compute the
Gramian of the averages; under ``jit`` XLA may send activations as well. To combine K gradients, a
chip reads each twice and writes one. On shards, every chip does this for an n-th of the gradients;
the gramian strategy reads them once. The estimate assumes that nothing overlaps and that links have
no latency. Losses that share only a part of the network cost less.
``tests/benchmarks/test_estimate.py`` compares the bytes with those counted in compiled programs.
"""

import dataclasses
from pathlib import Path
from typing import NamedTuple

from benchmarks import _report
from experiments.data.storage.files import make_folder
from experiments.markdown import grid

COMMAND = "python -m benchmarks estimate"


@dataclasses.dataclass(frozen=True)
class System:
    """A network, and the data-parallel chips that train it."""

    parameters: float = 7e9
    """Number of parameters that all objectives share."""
    objectives: int = 2
    """Number of losses, K."""
    chips: int = 256
    """Number of data-parallel chips, n."""
    link_gbps: float = 400.0
    """Gigabits per second that a chip sends."""
    memory_gbs: float = 1000.0
    """Gigabytes per second that a chip reads or writes in its memory."""
    uniform_seconds: float = 1.0
    """Seconds that a chip computes in the uniform step."""
    gradient_bytes: float = 4.0
    """Bytes per parameter of a gradient."""


class Step(NamedTuple):
    """The cost of a training step on one chip.

    Attributes:
      moved: Bytes that the chip sends.
      computing: Seconds of the forward and backward passes.
      communicating: Seconds to send the bytes.
      integrating: Seconds to combine the gradients of the objectives.
      gradients: How many gradients of all parameters the chip holds at once.
    """

    moved: float
    computing: float
    communicating: float
    integrating: float
    gradients: float

    @property
    def seconds(self) -> float:
        """Return the seconds of the whole step, in which nothing overlaps."""
        return self.computing + self.communicating + self.integrating


def estimate(system: System) -> dict[str, Step]:
    """Estimate the cost of the step for each way to train.

    Args:
      system: The network and the chips.

    Returns:
      The cost on one chip, by the name of the step in the table of this module: "uniform", "naive",
      "exact on shards", "gramian in shard_map" and "features".

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
    """Calculate the seconds of a data-parallel step on a given system.

    Args:
      system: The network and what it is trained on.
      output: Folder for the table, as Markdown and JSON.
    """
    make_folder(output)
    steps = estimate(system)
    table = markdown(system, steps)
    results = {
        "command": COMMAND,
        "system": dataclasses.asdict(system),
        "steps": {name: step._asdict() for name, step in steps.items()},
    }
    _report.save(output, table, results)


def markdown(system: System, steps: dict[str, Step]) -> str:
    """Write a Markdown table of the costs, with a row for each way to train, and a caption.

    Args:
      system: The network and the chips, for the caption.
      steps: The costs by name, from :func:`estimate`.
    """
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
