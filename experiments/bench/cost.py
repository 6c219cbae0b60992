"""The verb ``bench step``: what MMPareto costs over the uniform baseline."""

import json
from pathlib import Path

from experiments.bench import integration, step
from experiments.bench.ratio import Ratio
from experiments.device import description
from experiments.files import write_whole

COMMAND = "python -m experiments bench step"


def main(output: Path = Path("runs", "bench"), rounds: int = 10) -> None:
    """Measure the cost of the training step and of the integration of gradients.

    Args:
      output: Folder for the table, as Markdown and JSON.
      rounds: Repeats of each timing; in each, what is compared takes turns.
    """
    rows: dict[str, float | Ratio] = {**step.measure(rounds), **integration.measure(rounds)}
    device = description()
    table = "\n".join(
        [
            "| figure | value |",
            "|---|---|",
            *(f"| {name} | {_text(value)} |" for name, value in rows.items()),
            "",
            f"`{COMMAND}` on {device}, {rounds} rounds: median (minimum to maximum).",
            "",
        ]
    )
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "table.md", table)
    values = {
        name: value._asdict() if isinstance(value, Ratio) else value for name, value in rows.items()
    }
    report = {"command": COMMAND, "device": device, "values": values}
    write_whole(output / "results.json", json.dumps(report, indent=2) + "\n")
    print(table)


def _text(value: float | Ratio) -> str:
    if isinstance(value, Ratio):
        return f"{value.median:.2f} ({value.minimum:.2f} to {value.maximum:.2f})"
    return f"{value:.3f}"
