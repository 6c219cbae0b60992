"""The choice of gamma, and how much of the gain it explains: what the paper leaves open."""

from experiments.markdown import filled_grid
from experiments.reports.archive import Records
from experiments.reports.paper.evidence import GAMMA, Item, Run
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.paper.settings import Setting
from experiments.reports.statistics import accuracies, lead, spread

GAMMAS = (1.0, 1.5, 2.0, 3.0)

SETTINGS = {"cg-mnist": "CG-MNIST", "cg-digits": "Colored-and-gray digits"}

HEADS = {
    "cg-mnist": ("joint",),
    "cg-digits": ("joint",),
    "multi-mnist": ("left", "right"),
    "uci-mfeat": ("joint",),
}
"""By setting, the heads whose accuracies are compared at the paper's gamma."""


def needs(scope: Scope) -> list[Item]:
    """Return the runs of MMPareto and uniform x gamma, with every seed of the scope.

    The settings of ``SETTINGS`` have every gamma, all settings of ``HEADS`` the paper's.
    """
    runs = [(name, gamma, run) for name in SETTINGS for gamma in GAMMAS for run in BOTH]
    for name in HEADS:
        runs += [(name, 1.0, scaled), *((name, GAMMA, run) for run in BOTH)]
    return [
        run(scope.setting(name), gamma, seed)
        for name, gamma, run in dict.fromkeys(runs)
        for seed in range(scope.seeds)
    ]


def mmpareto(setting: Setting, gamma: float, seed: int) -> Run:
    """Return a run of MMPareto with a gamma, in a setting and from a seed."""
    return Run(setting, "mmpareto", seed, gamma)


def scaled(setting: Setting, gamma: float, seed: int) -> Run:
    """Return a run of the uniform baseline with the encoders' gradients times gamma.

    For gamma = 1 this is a run of "uniform" itself, whose results other exhibits share.
    """
    if gamma == 1:
        return Run(setting, "uniform", seed, GAMMA)
    return Run(setting, "uniform-gamma", seed, gamma)


BOTH = (mmpareto, scaled)


def text(scope: Scope, records: Records) -> str:
    """Return a table for each data set, by gamma, and one of all sets at the paper's gamma.

    Tables without any number are left out; without any table the text is empty.
    """

    def row(name: str, head: str, gamma: float) -> list[str]:
        return _row(scope, records, name, head, gamma)

    tables = {
        f"**{title}** (setting {name}): joint accuracy after the last epoch": filled_grid(
            ["gamma", *COLUMNS], [[f"{g:g}", *row(name, "joint", g)] for g in GAMMAS]
        )
        for name, title in SETTINGS.items()
    }
    tables[f"**All settings at gamma {GAMMA:g}**"] = filled_grid(
        ["setting", "head", *COLUMNS],
        [[name, head, *row(name, head, GAMMA)] for name, heads in HEADS.items() for head in heads],
        labels=2,
    )
    return "\n".join(f"{title}\n\n{table}" for title, table in tables.items() if table)


COLUMNS = (
    "MMPareto",
    "uniform x gamma",
    "MMPareto − uniform",
    "uniform x gamma − uniform (the magnitude alone)",
    "MMPareto − uniform x gamma (the direction alone)",
)


def _row(scope: Scope, records: Records, name: str, head: str, gamma: float) -> list[str]:
    setting, seeds = scope.setting(name), range(scope.seeds)
    ours, theirs, uniform = (
        accuracies(records, [run(setting, factor, seed) for seed in seeds], head)
        for run, factor in ((mmpareto, gamma), (scaled, gamma), (scaled, 1.0))
    )
    return [
        spread(list(ours.values())),
        spread(list(theirs.values())),
        lead(ours, uniform),
        lead(theirs, uniform),
        lead(ours, theirs),
    ]


EXHIBIT = Exhibit("gamma, and what the magnitude alone explains", needs, text)
