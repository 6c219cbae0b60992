"""The verb ``bench methods``: what each training method costs."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from experiments import data, program
from experiments.bench import report
from experiments.bench.ratio import Ratio
from experiments.comparison import Protocol
from experiments.demo.run import steps_per_second
from experiments.device import description
from experiments.markdown import grid
from experiments.paper.comparison_table import TITLES
from experiments.paper.table_1 import METHODS

COMMAND = "python -m experiments bench methods"
REFERENCE = "uniform"


def main(output: Path = Path("runs", "bench-methods")) -> None:
    """Measure the steps per second of the paper's methods over the uniform baseline.

    On coloured-and-gray digits; what a method does between epochs is not counted.

    Args:
      output: Folder for the table, as Markdown and JSON.
    """
    splits = data.load("cg-digits")
    configs = {name: replace(Protocol().config(name), diagnose=False) for name in METHODS}
    programs = {name: program.build(config, splits) for name, config in configs.items()}
    speeds = {name: np.array(each) for name, each in steps_per_second(programs).items()}
    ratios = {name: Ratio.over_rounds(each, speeds[REFERENCE]) for name, each in speeds.items()}
    device = description()
    rows = [[TITLES[name], report.ratio(ratio)] for name, ratio in ratios.items()]
    table = grid(["method", "steps per second over uniform"], rows) + (
        f"\n`{COMMAND}` on {device}: median (minimum to maximum) over rounds in which the methods "
        "take turns.\n"
    )
    results: dict[str, Any] = {
        "command": COMMAND,
        "device": device,
        "steps per second": {name: each.tolist() for name, each in speeds.items()},
    }
    report.save(output, table, results)
