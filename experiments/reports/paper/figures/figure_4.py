"""Figure 4: conflict and gradient magnitudes on further data."""

from typing import TYPE_CHECKING

from experiments.reports.archive import Records
from experiments.reports.paper import conflict, magnitudes, noise
from experiments.reports.paper.evidence import Item, Measurement, Run
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.pictures import not_run, panels
from experiments.reports.records import Record

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SETTINGS = {"cg-digits": "gray", "crema-d": "video", "kinetics-sounds": "video"}
"""By setting, the encoder whose gradient magnitudes are shown. The paper has CREMA-D in this
figure, and Kinetics Sounds in Figure 1."""


def needs(scope: Scope) -> list[Item]:
    """Return the runs of the uniform baseline, and their gradients after the first epoch."""
    return [
        item
        for name in SETTINGS
        for seed in range(scope.seeds)
        for item in (_run(scope, name, seed), _fixed(scope, name, seed))
    ]


def _run(scope: Scope, name: str, seed: int) -> Run:
    return Run(scope.setting(name), "uniform", seed)


def _fixed(scope: Scope, name: str, seed: int) -> Measurement:
    return Measurement(_run(scope, name, seed), noise.KIND, 1)


def _found(scope: Scope, records: Records, name: str) -> list[Record]:
    runs = [_run(scope, name, seed) for seed in range(scope.seeds)]
    return [records[run] for run in runs if run in records]


def text(scope: Scope, records: Records) -> str:
    """Return the caption with the share of steps in conflict; an empty string without records."""
    if not any(item in records for item in needs(scope)):
        return ""
    shares = [
        conflict.words(found, name, tuple(scope.setting(name).encoders))
        for name in SETTINGS
        if (found := _found(scope, records, name))
    ]
    conflicts = f"\nSteps in conflict: {'; '.join(shares)}.\n" if shares else ""
    return (
        "Above: cosine between the joint and the unimodal gradient, uniform baseline. Below: "
        "gradient magnitudes after the first epoch, seed 0; each count is a mini-batch.\n"
        f"{conflicts}"
    )


def draw(scope: Scope, records: Records) -> "Figure":
    """Return the figure, with a column for each data set; missing panels say "not run here"."""
    figure, axes = panels(len(SETTINGS), rows=2)
    for (name, encoder), (above, below) in zip(SETTINGS.items(), axes.T, strict=True):
        found = _found(scope, records, name)
        if found:
            conflict.draw(above, found, tuple(scope.setting(name).encoders))
        else:
            not_run(above)
        above.set_title(name)
        first = records.get(_fixed(scope, name, 0), {}).get("measured", {}).get(encoder)
        magnitudes.draw(below, first, f"{encoder} encoder")
    return figure


EXHIBIT = Exhibit("Conflict and gradient magnitudes on further data", needs, text, draw)
