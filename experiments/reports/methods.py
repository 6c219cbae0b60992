"""The table of methods: every way to integrate gradients under one protocol, on digits.

The protocol was written down before the runs and is the same for every method. Data: cg-digits.
Network, batch size, momentum and weight decay: the defaults of ``train``. Seeds, epochs and
learning rate: those of :class:`~experiments.engine.comparison.Protocol`; in particular no learning
rate is tuned for any method. Hyper-parameters of a method: its published defaults, and for MMPareto
and uniform x gamma the paper's gamma. The accuracy of a run is that on the test set, averaged over
the last five epochs: no epoch, no seed and no hyper-parameter is chosen by it.

A run diverged if a loss was not finite in any of its epochs. It stays in the table with the
accuracy that it has, and the table counts it.
"""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments import data
from experiments.data.storage.files import make_folder, write_together
from experiments.engine import program
from experiments.engine.comparison import (
    History,
    Protocol,
    accuracies,
    conflicts,
    per_cent,
    run_seeds,
    spread,
)
from experiments.engine.devices import description
from experiments.errors import UserError
from experiments.methods import INTEGRATIONS

COMMAND = "python -m experiments table methods"

REFERENCE = "uniform"
"""The method that the others are compared with, seed by seed."""


class Outcome(NamedTuple):
    """The results of the runs of one method, as lists with an entry for each seed.

    Accuracies and shares are from 0 to 1.
    """

    joint: list[float] | None  # the accuracies; None if the method does not train the head
    gray: list[float] | None
    color: list[float] | None
    conflict_gray: list[float] | None  # shares of steps; None if the method does not measure it
    conflict_color: list[float] | None
    diverged: list[bool]  # whether a loss was not finite in any epoch


def main(
    protocol: Protocol,
    methods: tuple[str, ...] = (),
    output: Path = Path("runs", "table-methods"),
) -> None:
    """Compare every method under one protocol, on colored-and-gray digits.

    Args:
      protocol: What to run.
      methods: The methods to compare, and the uniform baseline; by default all.
      output: Folder for the table, as Markdown and JSON.
    """
    from tqdm import tqdm

    start = time.perf_counter()
    names = chosen(methods)
    make_folder(output)
    arrays = data.load("cg-digits")
    outcomes = {}
    with tqdm(unit="epoch", total=len(names) * protocol.seeds * protocol.epochs) as progress:
        for name in names:
            progress.set_description(name)
            compiled = program.build(protocol.config(name), arrays)
            outcomes[name] = outcome(run_seeds(compiled, protocol, progress.update))
    device = description()
    command = " ".join([COMMAND, *_flags(protocol, methods)])
    table = "\n".join([markdown(outcomes), _caption(command, device, protocol), ""])
    print(table)
    report = {
        "command": command,
        "protocol": dataclasses.asdict(protocol),
        "optimization": dataclasses.asdict(protocol.optimization),
        "device": device,
        "seconds": round(time.perf_counter() - start),
        "methods": {name: value._asdict() for name, value in outcomes.items()},
    }
    output.mkdir(parents=True, exist_ok=True)
    write_together(
        {
            output / "table.md": table,
            output / "results.json": json.dumps(report, indent=1) + "\n",
        }
    )
    print(f"{report['seconds']} s; table and results are in {output}")


def chosen(names: tuple[str, ...]) -> list[str]:
    """Return the methods to run: the named ones and the reference, or all if none is named.

    Raises:
      UserError: If there is no method of a name.

    Example:
      >>> chosen(("mmpareto",))
      ['uniform', 'mmpareto']
    """
    for name in names:
        if name not in INTEGRATIONS:
            known = ", ".join(sorted(INTEGRATIONS))
            raise UserError(f"unknown method {name!r}: choose among {known}")
    return [name for name in INTEGRATIONS if name in names or name == REFERENCE or not names]


def outcome(seeds: list[History]) -> Outcome:
    """Summarize the runs of a method, given the records of each seed's run."""
    losses = [[list(record["loss"].values()) for record in run] for run in seeds]
    return Outcome(
        joint=accuracies(seeds, "joint"),
        gray=accuracies(seeds, "gray"),
        color=accuracies(seeds, "color"),
        conflict_gray=conflicts(seeds, "gray"),
        conflict_color=conflicts(seeds, "color"),
        diverged=[not bool(np.all(np.isfinite(run))) for run in losses],
    )


def markdown(outcomes: dict[str, Outcome]) -> str:
    """Return a Markdown table with a row for each method, in percent.

    Args:
      outcomes: The outcomes by method; that of the reference, "uniform", must be among them.
    """
    lines = [
        "| method | joint acc. | gray acc. | color acc. | joint acc. over uniform "
        "| conflict, gray | conflict, color | diverged |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, values in outcomes.items():
        columns = [
            *(values.joint, values.gray, values.color),
            _differences(values.joint, outcomes[REFERENCE].joint),
            *(values.conflict_gray, values.conflict_color),
        ]
        cells = [per_cent(spread(column)) for column in columns]
        diverged = f"{sum(values.diverged)} of {len(values.diverged)}"
        lines.append(f"| {' | '.join([name, *cells, diverged])} |")
    return "\n".join(lines) + "\n"


def _differences(ours: list[float] | None, theirs: list[float] | None) -> list[float] | None:
    """Return our value less theirs for each seed; None if either method lacks the values."""
    if ours is None or theirs is None:
        return None
    return [our - their for our, their in zip(ours, theirs, strict=True)]


def _flags(protocol: Protocol, methods: tuple[str, ...]) -> list[str]:
    """Return the options of the command line that differ from their defaults.

    An example: ``["--seeds 5", "--methods uniform pcgrad"]``.
    """
    fields: dict[str, Any] = dataclasses.asdict(Protocol())
    changed = [
        f"--{name.replace('_', '-')} {value}"
        for name, value in dataclasses.asdict(protocol).items()
        if value != fields[name]
    ]
    return [*changed, *([f"--methods {' '.join(methods)}"] if methods else [])]


def _caption(command: str, device: str, protocol: Protocol) -> str:
    return (
        f"`{command}` on {device}: mean ± standard deviation over {protocol.seeds} seeds, in per "
        f"cent; {protocol.epochs} epochs, learning rate {protocol.learning_rate}; accuracies are "
        "means over the last five epochs, differences are taken seed by seed; diverged: seeds with "
        "a loss that was not finite."
    )
