"""Table 9: iterations until Pareto stationarity."""

from typing import Any

import numpy as np

from experiments.markdown import DASH, filled_grid
from experiments.reports.archive import Records
from experiments.reports.paper.evidence import Item, Run
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.records import Record

TOLERANCES = (0.1, 0.01)
"""Norms of the shortest convex combination of the gradients, divided by its first norm."""

SETTINGS = ("cg-mnist", "cg-digits", "multi-mnist", "crema-d", "kinetics-sounds")

PUBLISHED = {
    ("crema-d", "audio"): 3098,
    ("crema-d", "video"): 1709,
    ("kinetics-sounds", "audio"): 10197,
    ("kinetics-sounds", "video"): 7957,
}


def needs(scope: Scope) -> list[Item]:
    """Return the runs of MMPareto in all five settings, with every seed of the scope."""
    return [run for name in SETTINGS for run in _runs(scope, name)]


def _runs(scope: Scope, name: str) -> list[Run]:
    return [Run(scope.setting(name), "mmpareto", seed) for seed in range(scope.seeds)]


def text(scope: Scope, records: Records) -> str:
    """Return a caption and a table with a row per data set and encoder, or an empty string."""
    rows = []
    for name in SETTINGS:
        found = [records[run] for run in _runs(scope, name) if run in records]
        if not found:
            continue
        for encoder in scope.setting(name).encoders:
            published = PUBLISHED.get((name, encoder))
            rows.append(
                [
                    name,
                    encoder,
                    DASH if published is None else f"{published}",
                    *(_cell([iterations(each, encoder, t) for each in found]) for t in TOLERANCES),
                    _cell([smallest(each, encoder) for each in found], digits=3),
                    f"{found[0]['epochs'][-1]['step']}",
                ]
            )
    head = [
        "setting",
        "encoder",
        "paper",
        *(f"below {tolerance:g}" for tolerance in TOLERANCES),
        "smallest",
        "of steps",
    ]
    caption = (
        "Iterations until the norm of the shortest convex combination of the gradients, in the "
        "mean over a quarter of an epoch, is below a part of what it was in the first quarter; "
        "*smallest* is the smallest part that a run came to. Median over the seeds (smallest to "
        "largest); *never* counts as longest."
    )
    return f"{caption}\n\n{filled_grid(head, rows, labels=2)}" if rows else ""


def iterations(record: Record, encoder: str, tolerance: float) -> float:
    """Return the step at which the gradients of an encoder first come near Pareto stationarity.

    Args:
      record: The record of a run.
      encoder: The name of the encoder.
      tolerance: The norm of the shortest convex combination of the gradients, averaged over a
        quarter of an epoch, must be below this times its value in the first quarter.

    Returns:
      The number of steps at the end of the first such quarter, or infinity if there is none.
    """
    parts, steps = _parts(record, encoder)
    below = np.flatnonzero(parts < tolerance)
    return float(steps[below[0]]) if len(below) else float("inf")


def smallest(record: Record, encoder: str) -> float:
    """Return the smallest norm of the shortest convex combination, divided by its first one.

    Args:
      record: The record of a run, whose norms are means over quarters of epochs.
      encoder: The name of the encoder.
    """
    return float(_parts(record, encoder)[0].min())


def _parts(record: Record, encoder: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the norms divided by the first one, and the steps at which their quarters end.

    Both are ``[quarters]``, over all epochs of a run.
    """
    norms: list[float] = []
    steps: list[float] = []
    for epoch in record["epochs"]:
        begin = steps[-1] if steps else 0.0
        of_epoch = epoch["trace"][encoder]["shortest"]
        norms += of_epoch
        steps += list(np.linspace(begin, epoch["step"], len(of_epoch) + 1)[1:])
    return np.array(norms) / norms[0], np.array(steps)


def _cell(values: list[Any], digits: int = 0) -> str:
    # A run that never gets there ranks last; interpolation would mix infinities.
    median = np.percentile(values, 50, method="higher")
    low, middle, high = (
        "never" if np.isinf(value) else f"{value:.{digits}f}"
        for value in (min(values), median, max(values))
    )
    return middle if low == high else f"{middle} ({low} to {high})"


EXHIBIT = Exhibit("Iterations until Pareto stationarity", needs, text)
