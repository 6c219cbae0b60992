"""What a benchmark leaves behind: a table for people and its numbers for programs."""

import json
from pathlib import Path
from typing import Any

from experiments.data.storage.files import write_whole


def save(output: Path, table: str, results: dict[str, Any]) -> None:
    """Write ``table.md`` and ``results.json``, and print the table."""
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "table.md", table)
    write_whole(output / "results.json", json.dumps(results, indent=1) + "\n")
    print(table)
