"""The verb ``demo``: train five methods on colored-and-gray digits; write a table and figures."""

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments import data
from experiments.data.storage.files import make_folder, write_together
from experiments.engine import program
from experiments.engine.comparison import (
    DIAGNOSED,
    Histories,
    History,
    Protocol,
    Spread,
    accuracies,
    conflicts,
    per_cent,
    run_seeds,
    spread,
)
from experiments.engine.timing import steps_per_second
from experiments.reports.pictures import OTHER_COLORS, band, color_of, panels, save

METHODS = {
    "joint": "one joint loss",
    "uniform": "uniform",
    "uniform-gamma": "uniform x gamma",
    "pareto": "conventional Pareto",
    "mmpareto": "MMPareto",
}
"""The methods that are compared, with their titles in the table."""

HEADS = ("joint", "gray", "color")


def main(protocol: Protocol, output: Path = Path("runs", "demo")) -> None:
    """Compare MMPareto with four baselines on colored-and-gray digits, which need no download.

    Args:
      protocol: What to run.
      output: Folder for the table and the figures.
    """
    from tqdm import tqdm

    make_folder(output)
    start = time.perf_counter()
    configs = {method: protocol.config(method) for method in METHODS}
    arrays = data.load("cg-digits")
    programs = {method: program.build(config, arrays) for method, config in configs.items()}
    histories: dict[str, list[History]] = {}
    with tqdm(unit="epoch", total=len(METHODS) * protocol.seeds * protocol.epochs) as progress:
        for method, compiled in programs.items():
            progress.set_description(METHODS[method])
            histories[method] = run_seeds(compiled, protocol, progress.update)

    for method in DIAGNOSED:  # their speed is measured without what they need not do
        plain = dataclasses.replace(configs[method], diagnose=False)
        programs[method] = program.build(plain, arrays)
    speeds = steps_per_second(programs)
    rows = table_rows(METHODS, histories, speeds)
    print(markdown(rows))
    report = {
        "command": "python -m experiments demo",
        "protocol": dataclasses.asdict(protocol),
        "optimization": dataclasses.asdict(protocol.optimization),
        "device": jax.devices()[0].device_kind,
        "steps_per_second": speeds,
        "histories": histories,
    }
    output.mkdir(parents=True, exist_ok=True)
    write_together(
        {output / "table.md": markdown(rows), output / "results.json": json.dumps(report)}
    )
    draw_accuracy(METHODS, histories, output / "accuracy")
    draw_cosine(histories["mmpareto"], output / "cosine")
    print(f"{time.perf_counter() - start:.0f} s; table, results and figures are in {output}")


class Row(NamedTuple):
    """The row of one method: accuracies and shares of steps, 0 to 1; None if not measured."""

    name: str
    joint: Spread | None
    gray: Spread | None
    color: Spread | None
    conflict_gray: Spread | None
    conflict_color: Spread | None
    speed: Spread  # over the uniform baseline's in the same round


def table_rows(
    names: Mapping[str, str], histories: Histories, speeds: Mapping[str, list[float]]
) -> list[Row]:
    """Return a row of the table for each method.

    Args:
      names: The title of each method in the table.
      histories: The records of all runs, by method.
      speeds: Steps per second by method, one number for each round; "uniform" must be among them,
        since speeds are divided by its speed in the same round.
    """
    return [
        Row(
            name,
            joint=spread(accuracies(histories[method], "joint")),
            gray=spread(accuracies(histories[method], "gray")),
            color=spread(accuracies(histories[method], "color")),
            conflict_gray=spread(conflicts(histories[method], "gray")),
            conflict_color=spread(conflicts(histories[method], "color")),
            speed=Spread.over(np.divide(speeds[method], speeds["uniform"])),
        )
        for method, name in names.items()
    ]


def markdown(rows: list[Row]) -> str:
    """Return the rows as a Markdown table, with accuracies and shares in percent."""
    lines = [
        "| method | joint acc. | gray acc. | color acc. | conflict, gray | conflict, color "
        "| steps/s over uniform |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shares = [per_cent(share) for share in row[1:6]]
        speed = f"{row.speed.mean:.2f} ± {row.speed.deviation:.2f}"
        lines.append(f"| {' | '.join([row.name, *shares, speed])} |")
    return "\n".join(lines) + "\n"


def draw_accuracy(names: Mapping[str, str], histories: Histories, path: Path) -> None:
    """Draw test accuracies over epochs, a panel for each head and a line for each method.

    Args:
      names: The title of each method in the legend.
      histories: The records of all runs, by method. A method that does not train a head has no line
        in its panel.
      path: The path of the PNG and the SVG file, without their ending.
    """
    figure, axes = panels(len(HEADS))
    for panel, head in zip(axes, HEADS, strict=True):
        for method, name in names.items():
            runs = histories[method]
            if head in runs[0][0]["scores"]:
                values = [[100 * r["scores"][head]["accuracy"] for r in run] for run in runs]
                band(panel, _epochs(values), values, color_of(method), name)
        panel.set_title(f"{head} prediction")
        panel.set_xlabel("epoch")
    axes[0].set_ylabel("test accuracy (%)")
    axes[0].legend(fontsize="small", frameon=False)
    save(figure, path)


def draw_cosine(seeds: list[list[dict[str, Any]]], path: Path) -> None:
    """Draw cosine and conflicts of the joint and unimodal gradient, a line for each encoder.

    Args:
      seeds: The records of the epochs of each run of one method.
      path: The path of the PNG and the SVG file, without their ending.
    """
    figure, (cosines, conflicts) = panels(2)
    for color, encoder in zip(OTHER_COLORS, HEADS[1:], strict=False):
        records = [[r["encoders"][encoder] for r in run] for run in seeds]
        label = f"{encoder} encoder"
        mean = [[r["cosine"] for r in run] for run in records]
        band(cosines, _epochs(mean), mean, color, label)
        shares = [[100 * r["conflict"] for r in run] for run in records]
        band(conflicts, _epochs(shares), shares, color, label)
    cosines.axhline(0, color="black", linewidth=0.8)
    cosines.set_ylabel("cosine, joint and unimodal gradient")
    conflicts.set_ylabel("steps in conflict (%)")
    for panel in (cosines, conflicts):
        panel.set_xlabel("epoch")
    cosines.legend(fontsize="small", frameon=False)
    save(figure, path)


def _epochs(values: list[list[float]]) -> range:
    return range(1, len(values[0]) + 1)
