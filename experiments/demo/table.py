"""The demo's table."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

LAST_EPOCHS = 5
"""A run's accuracy is the mean over this many last epochs."""

Histories = Mapping[str, list[list[dict[str, Any]]]]
"""For each method, for each seed, the records of :func:`experiments.train.train`."""


class Spread(NamedTuple):
    """Mean and standard deviation over seeds or rounds."""

    mean: float
    deviation: float


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
            joint=_accuracy(histories[method], "joint"),
            gray=_accuracy(histories[method], "gray"),
            colour=_accuracy(histories[method], "colour"),
            conflict_gray=_conflict(histories[method], "gray"),
            conflict_colour=_conflict(histories[method], "colour"),
            speed=_spread(np.divide(speeds[method], speeds["uniform"])),
        )
        for method, name in names.items()
    ]


def markdown(rows: list[Row]) -> str:
    """The rows as a Markdown table; accuracies and shares in per cent."""
    lines = [
        "| method | joint acc. | gray acc. | colour acc. | conflict, gray | conflict, colour "
        "| steps/s over uniform |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = [_per_cent(share) for share in row[1:6]]
        speed = f"{row.speed.mean:.2f} ± {row.speed.deviation:.2f}"
        lines.append(f"| {' | '.join([row.name, *shares, speed])} |")
    return "\n".join(lines) + "\n"


def _accuracy(seeds: list[list[dict[str, Any]]], head: str) -> Spread | None:
    if head not in seeds[0][0]["accuracy"]:
        return None
    return _spread(
        [np.mean([record["accuracy"][head] for record in run[-LAST_EPOCHS:]]) for run in seeds]
    )


def _conflict(seeds: list[list[dict[str, Any]]], encoder: str) -> Spread | None:
    if encoder not in seeds[0][0]["encoders"]:
        return None
    return _spread(
        [np.mean([record["encoders"][encoder]["conflict"] for record in run]) for run in seeds]
    )


def _spread(values: Any) -> Spread:
    return Spread(float(np.mean(values)), float(np.std(values, ddof=min(1, len(values) - 1))))


def _per_cent(share: Spread | None) -> str:
    return "–" if share is None else f"{100 * share.mean:.1f} ± {100 * share.deviation:.1f}"
