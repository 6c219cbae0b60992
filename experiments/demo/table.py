"""The demo's table."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from experiments.comparison import Histories, Spread, accuracies, conflicts, per_cent, spread


class Row(NamedTuple):
    """One method; None where a method does not give the number."""

    name: str
    joint: Spread | None
    gray: Spread | None
    colour: Spread | None
    conflict_gray: Spread | None
    conflict_colour: Spread | None
    speed: Spread  # over the uniform baseline's in the same round


def rows(
    names: Mapping[str, str], histories: Histories, speeds: Mapping[str, list[float]]
) -> list[Row]:
    """One row per method.

    Args:
      names: What the table calls each method.
      histories: The records of all runs.
      speeds: Steps per second of each method, one number a round, and among them "uniform".
    """
    return [
        Row(
            name,
            joint=spread(accuracies(histories[method], "joint")),
            gray=spread(accuracies(histories[method], "gray")),
            colour=spread(accuracies(histories[method], "colour")),
            conflict_gray=spread(conflicts(histories[method], "gray")),
            conflict_colour=spread(conflicts(histories[method], "colour")),
            speed=Spread.over(np.divide(speeds[method], speeds["uniform"])),
        )
        for method, name in names.items()
    ]


def markdown(rows: list[Row]) -> str:
    """Write the rows as a Markdown table; accuracies and shares in per cent."""
    lines = [
        "| method | joint acc. | gray acc. | colour acc. | conflict, gray | conflict, colour "
        "| steps/s over uniform |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = [per_cent(share) for share in row[1:6]]
        speed = f"{row.speed.mean:.2f} ± {row.speed.deviation:.2f}"
        lines.append(f"| {' | '.join([row.name, *shares, speed])} |")
    return "\n".join(lines) + "\n"
