"""The verb ``bench optimality``: how near to the solution each solver comes."""

import importlib
import json
from pathlib import Path

from experiments.device import description

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
    (output / "table.md").write_text(table)
    report = {
        "command": COMMAND,
        "device": description(),
        "rows": [row._asdict() for row in rows],
    }
    (output / "results.json").write_text(json.dumps(report, indent=1) + "\n")
    print(table)
