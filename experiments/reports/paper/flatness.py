"""Which runs are compared by how flat their minima are, and what is measured at their end."""

from typing import Any

from experiments.reports.archive import Records
from experiments.reports.paper.evidence import Item, Measurement, Run
from experiments.reports.paper.exhibit import Scope

SETTINGS = ("cg-mnist", "cg-digits")

METHODS = {
    "uniform": "uniform",
    "uniform-gamma": "uniform x gamma",
    "pareto": "conventional Pareto",
    "mmpareto": "MMPareto",
}
"""The paper's three and, since MMPareto also takes longer steps, longer steps alone."""

SEEDS = 3
"""At most so many are measured."""


def compared(scope: Scope) -> tuple[str, ...]:
    """Return the methods that are asked for."""
    return scope.chosen(tuple(METHODS))


def runs(scope: Scope, setting: str, method: str) -> list[Run]:
    """Of a method in a setting, those that are measured."""
    return [Run(scope.setting(setting), method, seed) for seed in range(min(scope.seeds, SEEDS))]


def at_end(run: Run, kind: str) -> Measurement:
    """List the measurements at the end of a run."""
    return Measurement(run, kind, run.epochs)


def found(records: Records, item: Item) -> dict[str, Any] | None:
    """Return the record of a run or a measurement; None if it is not there or was refused."""
    record = records.get(item)
    return None if record is None or "refused" in record else record
