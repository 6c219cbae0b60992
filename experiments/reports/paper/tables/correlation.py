"""Conflict and gain against the colors' correlation to the label, which the paper leaves open."""

from experiments.markdown import filled_grid
from experiments.reports.archive import Records
from experiments.reports.paper import conflict
from experiments.reports.paper.evidence import Item, Run
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.paper.settings import colors
from experiments.reports.statistics import accuracies, lead, spread

CORRELATIONS = (0.0, 0.5, 0.8, 0.95, 1.0)
"""The probability with which a training image has the color of its label."""

METHODS = ("uniform", "uniform-gamma", "mmpareto")

ENCODERS = ("gray", "color")


def needs(scope: Scope) -> list[Item]:
    """Return the runs of the three methods at every correlation, with every seed of the scope."""
    return [
        run
        for correlation in CORRELATIONS
        for method in METHODS
        for run in _runs(scope, correlation, method)
    ]


def _runs(scope: Scope, correlation: float, method: str) -> list[Run]:
    setting = colors(scope.preset, correlation)
    return [Run(setting, method, seed) for seed in range(scope.seeds)]


def text(scope: Scope, records: Records) -> str:
    """Return a caption and a table with a row per correlation, or an empty string."""
    rows = []
    for correlation in CORRELATIONS:
        runs = {method: _runs(scope, correlation, method) for method in METHODS}
        reached = {method: accuracies(records, of) for method, of in runs.items()}
        found = [records[run] for run in runs["uniform"] if run in records]
        rows.append(
            [
                f"{correlation:g}",
                *(spread(conflict.share(found, name)) for name in ENCODERS),
                *(spread(list(reached[method].values())) for method in METHODS),
                *(lead(reached[method], reached["uniform"]) for method in METHODS[1:]),
            ]
        )
    head = [
        "correlation",
        *(f"steps in conflict, {name}" for name in ENCODERS),
        "uniform",
        "uniform x gamma",
        "MMPareto",
        "uniform x gamma − uniform",
        "MMPareto − uniform",
    ]
    table = filled_grid(head, rows)
    caption = (
        "Colored-and-gray digits, in percent: joint accuracy after the last epoch, and the share "
        "of the uniform baseline's steps in conflict"
    )
    return f"{caption}\n\n{table}" if table else ""


EXHIBIT = Exhibit("Conflict and gain against the colors' correlation to the label", needs, text)
