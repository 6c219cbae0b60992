"""What a benchmark leaves behind: a table for people and its numbers for programs."""

import json
from pathlib import Path
from typing import Any

from experiments.bench.ratio import Ratio
from experiments.files import write_whole


def ratio(value: Ratio) -> str:
    """Median, and minimum to maximum.

    Example:
      >>> ratio(Ratio(1.5, 1.25, 2.0))
      '1.50 (1.25 to 2.00)'
    """
    return f"{value.median:.2f} ({value.minimum:.2f} to {value.maximum:.2f})"


def save(output: Path, table: str, results: dict[str, Any]) -> None:
    """Write ``table.md`` and ``results.json``, and print the table."""
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "table.md", table)
    write_whole(output / "results.json", json.dumps(results, indent=1) + "\n")
    print(table)
