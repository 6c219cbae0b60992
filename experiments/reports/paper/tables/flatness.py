"""How flat the minima are: the numbers beside Figure 5."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from experiments.engine.comparison import Spread
from experiments.markdown import DASH, filled_grid
from experiments.reports.archive import Records
from experiments.reports.paper import flatness
from experiments.reports.paper.evidence import Item, Run
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.records import Record
from experiments.reports.statistics import Difference

REFERENCE = "uniform"

CLAIMED = ("pareto", "mmpareto")
"""Methods of which the paper makes a claim: Pareto's minima are sharper than the reference's, and
MMPareto's are flatter."""


class Quantity(NamedTuple):
    """A column of the table of flatness.

    Attributes:
      name: The title of the column.
      item: Maps a run to the run or measurement whose record has the value.
      read: Maps that record to the value.
      digits: The format of the value, such as ".3g".
      flatness: Whether the value measures flatness; a smaller value then means a flatter minimum.
    """

    name: str
    item: Callable[[Run], Item]
    read: Callable[[Record], float]
    digits: str
    flatness: bool

    def of(self, records: Records, run: Run) -> float | None:
        """Return the value of this quantity in a run; None if it was not measured."""
        record = flatness.found(records, self.item(run))
        return None if record is None else self.read(record)


def _hessian(name: str, part: str, key: str) -> Quantity:
    return Quantity(name, _curvature, lambda record: record["measured"][part][key], ".3g", True)


def _curvature(run: Run) -> Item:
    return flatness.at_end(run, "curvature")


def _landscape(run: Run) -> Item:
    return flatness.at_end(run, "landscape")


def _itself(run: Run) -> Item:
    return run


QUANTITIES = (
    _hessian("largest eigenvalue", "all", "eigenvalue"),
    _hessian("trace", "all", "trace"),
    _hessian("largest eigenvalue, encoders", "encoders", "eigenvalue"),
    _hessian("trace, encoders", "encoders", "trace"),
    Quantity(
        "landscape sharpness",
        _landscape,
        lambda record: record["measured"]["sharpness"],
        ".3g",
        True,
    ),
    Quantity(
        "joint test accuracy (%)",
        _itself,
        lambda record: 100 * record["epochs"][-1]["scores"]["joint"]["accuracy"],
        ".1f",
        False,
    ),
    Quantity(
        "training loss",
        _itself,
        lambda record: record["epochs"][-1]["loss"]["joint"],
        ".3g",
        False,
    ),
)


def _needs(scope: Scope) -> list[Item]:
    return [
        item
        for setting in flatness.SETTINGS
        for method in flatness.compared(scope)
        for run in flatness.runs(scope, setting, method)
        for item in (run, _curvature(run), _landscape(run))
    ]


def _text(scope: Scope, records: Records) -> str:
    methods = flatness.compared(scope)
    settings = [name for name in flatness.SETTINGS if _is_measured(scope, records, name)]
    if not settings:
        return ""
    titles = ["setting", "method", *(quantity.name for quantity in QUANTITIES)]
    rows = [
        [setting, flatness.METHODS[method], *(_cell(each, records, runs) for each in QUANTITIES)]
        for setting in settings
        for method in methods
        if (runs := flatness.runs(scope, setting, method))
    ]
    comparisons = [
        _comparison(scope, records, setting, method)
        for setting in settings
        for method in CLAIMED
        if method in methods
    ]
    parts = [filled_grid(titles, rows, labels=2), _explanation(scope, records), "", *comparisons]
    return "\n".join(parts) + "\n"


def _is_measured(scope: Scope, records: Records, setting: str) -> bool:
    """Return whether the flatness of any run of a setting was measured, not only its accuracy."""
    return any(
        quantity.of(records, run) is not None
        for method in flatness.compared(scope)
        for run in flatness.runs(scope, setting, method)
        for quantity in QUANTITIES
        if quantity.flatness
    )


def _cell(quantity: Quantity, records: Records, runs: list[Run]) -> str:
    values = [value for run in runs if (value := quantity.of(records, run)) is not None]
    if not values:
        return DASH
    spread = Spread.over(values)
    digits = quantity.digits
    partly = "" if len(values) == len(runs) else f" ({len(values)} of {len(runs)} seeds)"
    return f"{spread.mean:{digits}} ± {spread.deviation:{digits}}{partly}"


def _explanation(scope: Scope, records: Records) -> str:
    seeds = min(scope.seeds, flatness.SEEDS)
    meaning = (
        f"At the last epoch; mean ± standard deviation over {seeds} seeds. Eigenvalue and trace "
        "are those of the Hessian of the joint loss on 512 training samples, in all parameters and "
        "in the encoders' alone. Sharpness is the mean rise of that loss half the way along "
        "filter-normalized random directions. The training loss is the joint one, in the mean over "
        "the steps of the last epoch."
    )
    found = [flatness.found(records, item) for item in _needs(scope)]
    curvatures = [
        record["measured"] for record in found if record and "all" in record.get("measured", {})
    ]
    if not curvatures:
        return meaning
    parts = [each[part] for each in curvatures for part in ("all", "encoders")]
    residual = _largest_share(parts, "residual", "eigenvalue")
    error = _largest_share(parts, "trace_error", "trace")
    return (
        f"{meaning} The residual of an eigenvalue is at most {100 * residual:.2g} % of it, the "
        f"standard error of a trace at most {100 * error:.2g} % of it."
    )


def _largest_share(parts: list[Record], error: str, value: str) -> float:
    """Return the largest ratio of an error to its value, by magnitude, over values not zero.

    Args:
      parts: The curvatures of parts of the parameters, each a dict of numbers.
      error: The key of the error.
      value: The key of the value.

    Returns:
      The ratio, not in percent; 0 if no ratio is finite.
    """
    shares = (abs(part[error] / part[value]) for part in parts if part[value])
    return max(filter(np.isfinite, shares), default=0.0)


def _comparison(scope: Scope, records: Records, setting: str, method: str) -> str:
    """Write a list item on how a method's flatness differs from the reference's, seed by seed."""
    pairs = list(
        zip(
            flatness.runs(scope, setting, method),
            flatness.runs(scope, setting, REFERENCE),
            strict=True,
        )
    )
    clauses = [_clause(quantity, records, pairs) for quantity in QUANTITIES if quantity.flatness]
    name = flatness.METHODS[method]
    return f"* {setting}, {name} less {REFERENCE}, seed by seed: {'; '.join(clauses)}."


def _clause(quantity: Quantity, records: Records, pairs: list[tuple[Run, Run]]) -> str:
    values = [[quantity.of(records, run) for run in pair] for pair in pairs]
    both = [(a, b) for a, b in values if a is not None and b is not None]
    if len(both) < 2:
        return f"{quantity.name}: fewer than two pairs of runs"
    if not np.all(np.isfinite(both)):
        return f"{quantity.name}: not finite in every run"
    found = Difference.over(*zip(*both, strict=True))
    return (
        f"{quantity.name} {found.mean:+.3g} ± {found.margin:.3g} "
        f"({len(both)} seeds), {VERDICTS[found.sign]}"
    )


VERDICTS = {
    -1: f"flatter than {REFERENCE}",
    0: "cannot be told apart",
    1: f"sharper than {REFERENCE}",
}
"""By the sign of a difference, which is 0 if its 95 % interval contains zero."""


EXHIBIT = Exhibit(
    title="Flatness of the minima",
    needs=_needs,
    text=_text,
)
