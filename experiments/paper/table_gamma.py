"""What the paper leaves open: gamma, and how much of the gain it explains by itself."""

from experiments.markdown import grid
from experiments.paper.archive import Records
from experiments.paper.evidence import GAMMA, Item, Run
from experiments.paper.exhibit import Exhibit, Scope
from experiments.paper.scores import Difference, difference, joint, paired, spread
from experiments.paper.settings import Setting

GAMMAS = (1.0, 1.5, 2.0, 3.0)

SETTINGS = {"cg-mnist": "CG-MNIST", "cg-digits": "Coloured-and-gray digits"}


def needs(scope: Scope) -> list[Item]:
    """MMPareto and uniform x gamma for every gamma."""
    return [
        run(scope.setting(name), gamma, seed)
        for name in SETTINGS
        for gamma in GAMMAS
        for run in (mmpareto, scaled)
        for seed in range(scope.seeds)
    ]


def mmpareto(setting: Setting, gamma: float, seed: int) -> Run:
    """MMPareto with a gamma."""
    return Run(setting, "mmpareto", seed, gamma)


def scaled(setting: Setting, gamma: float, seed: int) -> Run:
    """The uniform baseline with its encoders' gradient times gamma."""
    if gamma == 1:
        return Run(setting, "uniform", seed, GAMMA)
    return Run(setting, "uniform-gamma", seed, gamma)


def text(scope: Scope, records: Records) -> str:
    """A table per data set: a row per gamma, joint accuracy after the last epoch."""
    return "\n".join(
        f"**{title}** (setting {name}): joint accuracy after the last epoch\n\n"
        + _table(scope.setting(name), scope, records)
        for name, title in SETTINGS.items()
    )


def _table(setting: Setting, scope: Scope, records: Records) -> str:
    seeds = range(scope.seeds)
    uniform = joint(records, [scaled(setting, 1, seed) for seed in seeds])
    rows = []
    for gamma in GAMMAS:
        ours = joint(records, [mmpareto(setting, gamma, seed) for seed in seeds])
        theirs = joint(records, [scaled(setting, gamma, seed) for seed in seeds])
        pairs = ((ours, uniform), (theirs, uniform), (ours, theirs))
        gaps = [paired(first, second) for first, second in pairs]
        rows.append(
            [
                f"{gamma:g}",
                spread(list(ours.values())),
                spread(list(theirs.values())),
                *(difference(Difference.over(*gap)) if gap[0] else "–" for gap in gaps),
            ]
        )
    head = [
        "gamma",
        "MMPareto",
        "uniform x gamma",
        "MMPareto − uniform",
        "uniform x gamma − uniform (the magnitude alone)",
        "MMPareto − uniform x gamma (the direction alone)",
    ]
    return grid(head, rows)


EXHIBIT = Exhibit("gamma, and what the magnitude alone explains", needs, text)
