"""Table 8: how long MMPareto takes to integrate the gradients of an iteration."""

from typing import Any

from experiments.engine.timing import Ratio
from experiments.markdown import DASH, filled_grid
from experiments.reports.archive import Records
from experiments.reports.paper.evidence import Item, Measurement, Run
from experiments.reports.paper.exhibit import Exhibit, Scope

PAPER = {"crema-d": 0.11, "kinetics-sounds": 0.16, "cg-mnist": 0.05, "modelnet40": 0.10}
"""By setting, the paper's mean seconds of the integration, each with a variance of 1e-5."""

OURS = ("cg-digits", "multi-mnist", "uci-mfeat")

HEAD = (
    "setting",
    "paper, s",
    "ours: integration / step",
    "released rule / ours",
    "ours: integration, s (variance)",
)

CAPTION = """\
Paper: mean time per iteration, with a variance of 1e-5 in every row; its models were trained on RTX
3090 (Ti). Ours: median (minimum to maximum) over rounds in which the programs take turns. The
integration goes from the gradients of the objectives to the update of every encoder: Gramian,
weights, combination and rescaling. The step is the whole training step, this included. The released
rule is that of the published implementation, in torch, on the same gradients; a dash where torch
was not installed. Seconds are given of a GPU only, with its name.
"""


def _needs(scope: Scope) -> list[Item]:
    return [_measurement(scope, name) for name in (*PAPER, *OURS)]


def _measurement(scope: Scope, name: str) -> Measurement:
    return Measurement(Run(scope.setting(name), "mmpareto", 0), "timing", 0)


def _text(scope: Scope, records: Records) -> str:
    items = {name: _measurement(scope, name) for name in (*PAPER, *OURS)}
    found = {name: records[item] for name, item in items.items() if item in records}
    rows = [_row(name, each["measured"]) for name, each in found.items() if "measured" in each]
    parts = [f"{filled_grid(HEAD, rows)}\n{CAPTION}"] if rows else []
    parts += [f"{name}: {each['refused']}.\n" for name, each in found.items() if "refused" in each]
    return "\n".join(parts)


def _row(name: str, measured: dict[str, Any]) -> list[str]:
    return [
        name,
        f"{PAPER[name]:.2f}" if name in PAPER else DASH,
        _share(measured),
        _released(measured),
        _seconds(measured),
    ]


def _share(measured: dict[str, Any]) -> str:
    if "integration/step" not in measured:
        return DASH
    share = Ratio(*(100 * value for value in Ratio(**measured["integration/step"])))
    return f"{share.median:.1f} % ({share.minimum:.1f} to {share.maximum:.1f})"


def _released(measured: dict[str, Any]) -> str:
    if "released/ours" not in measured:
        return DASH
    return f"{Ratio(**measured['released/ours'])!s}, torch {measured['torch']}"


def _seconds(measured: dict[str, Any]) -> str:
    if "seconds" not in measured:
        return DASH
    time = measured["seconds"]["integration"]
    return f"{time['mean']:.2g} ({time['variance']:.0e}), {measured['device']}"


EXHIBIT = Exhibit("Time cost of MMPareto's integration per iteration", _needs, _text)
