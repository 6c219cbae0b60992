"""The output of a benchmark: a table as Markdown and its numbers as JSON."""

import json
from pathlib import Path
from typing import Any

from experiments.data.storage.files import write_together


def save(output: Path, table: str, results: dict[str, Any]) -> None:
    """Print the table, and write it to ``table.md`` and the numbers to ``results.json``.

    Args:
      output: Folder of both files, which is made if it is missing.
      table: The table, as Markdown.
      results: The numbers, of types that JSON has.
    """
    print(table)  # first, in case writing fails
    output.mkdir(parents=True, exist_ok=True)
    write_together(
        {
            output / "table.md": table,
            output / "results.json": json.dumps(results, indent=1) + "\n",
        }
    )
