"""The verb ``methods``: measure the steps per second of the methods in the paper's Table 1."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import _report
from experiments import data
from experiments.data.storage.files import make_folder
from experiments.engine import program
from experiments.engine.comparison import Protocol
from experiments.engine.devices import description
from experiments.engine.timing import Ratio, steps_per_second
from experiments.markdown import grid
from experiments.methods import TABLE_1, TITLES

COMMAND = "python -m benchmarks methods"
REFERENCE = "uniform"


def main(output: Path = Path("runs", "bench-methods")) -> None:
    """Measure the steps per second of the paper's methods, relative to the uniform baseline.

    They train on colored-and-gray digits; what a method does between epochs is not counted.

    Args:
      output: Folder for the table, as Markdown and JSON.
    """
    make_folder(output)
    splits = data.load("cg-digits")
    configs = {name: replace(Protocol().config(name), diagnose=False) for name in TABLE_1}
    programs = {name: program.build(config, splits) for name, config in configs.items()}
    speeds = {name: np.array(each) for name, each in steps_per_second(programs).items()}
    ratios = {name: Ratio.over_rounds(each, speeds[REFERENCE]) for name, each in speeds.items()}
    device = description()
    rows = [[TITLES[name], str(ratio)] for name, ratio in ratios.items()]
    table = grid(["method", "steps per second over uniform"], rows) + (
        f"\n`{COMMAND}` on {device}: median (minimum to maximum) over rounds in which the methods "
        "take turns.\n"
    )
    results: dict[str, Any] = {
        "command": COMMAND,
        "device": device,
        "steps per second": {name: each.tolist() for name, each in speeds.items()},
    }
    _report.save(output, table, results)
