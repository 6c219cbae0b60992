"""The runs whose minima Figure 5 and the table of flatness compare, and their measurements."""

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
"""By name, the titles of the methods: the paper's three and, since MMPareto also takes longer
steps, longer steps alone."""

SEEDS = 3
"""The largest number of seeds whose flatness is measured."""


def compared(scope: Scope) -> tuple[str, ...]:
    """Return those of the four compared methods that a scope asks for."""
    return scope.chosen(tuple(METHODS))


def runs(scope: Scope, setting: str, method: str) -> list[Run]:
    """Return the runs of a method in a setting whose flatness is measured: three seeds at most."""
    return [Run(scope.setting(setting), method, seed) for seed in range(min(scope.seeds, SEEDS))]


def at_end(run: Run, kind: str) -> Measurement:
    """Return the measurement of a kind after the last epoch of a run."""
    return Measurement(run, kind, run.epochs)


def found(records: Records, item: Item) -> dict[str, Any] | None:
    """Return the record of a run or a measurement, if there are results.

    Returns:
      The record, or None if it is not on disk or if the method does not apply to the setting.
    """
    record = records.get(item)
    return None if record is None or "refused" in record else record
