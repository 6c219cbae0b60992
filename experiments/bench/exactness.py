"""The verb ``bench optimality``: how near to the solution each solver comes."""

import importlib
import json
from pathlib import Path

from experiments.device import description
from experiments.files import write_whole

COMMAND = "python -m experiments bench optimality"


def main(output: Path = Path("runs", "bench-optimality")) -> None:
    """Measure how near to the solution of its problem each solver comes.

    Args:
      output: Folder for the table, as Markdown and JSON.
    """
    optimality = importlib.import_module("experiments.bench.optimality")  # it needs SciPy
    rows = optimality.measure()
    table = f"{optimality.markdown(rows).rstrip()}\n\n`{COMMAND}` on {description()}.\n"
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "table.md", table)
    report = {
        "command": COMMAND,
        "device": description(),
        "rows": [row._asdict() for row in rows],
    }
    write_whole(output / "results.json", json.dumps(report, indent=1) + "\n")
    print(table)
