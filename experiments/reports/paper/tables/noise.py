"""The paper's Hypothesis 1 and its analysis of the noise (section 3.3.3), measured."""

from collections.abc import Callable

import numpy as np

from experiments.engine.comparison import Spread
from experiments.markdown import grid
from experiments.reports.archive import Records
from experiments.reports.paper import noise
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.paper.noise import Measured, Noise
from experiments.reports.statistics import Difference

Value = Callable[[Measured], float | None]


def longer(measured: Measured) -> float | None:
    """Return the mean norm of an encoder's unimodal gradients divided by that of its joint ones.

    Args:
      measured: The measured gradients of the encoder in one run.

    Returns:
      The ratio, or None if a norm was not finite or the mean joint norm is zero.
    """
    joint, unimodal = (measured["norms"][name] for name in ("joint", "unimodal"))
    if None in joint or None in unimodal:
        return None
    return _ratio(float(np.mean(unimodal)), float(np.mean(joint)))


def over_uniform(method: str, kind: str = "variance") -> Value:
    """Return a function that computes a method's gradient variance over that of the uniform sum.

    Args:
      method: A key of the measured variances, such as "pareto".
      kind: "variance" for the measured variances, "formula" for those by the paper's formula.

    Returns:
      A function of the measured gradients of an encoder that returns the ratio, or None if one of
      the two variances is unknown or that of the uniform sum is zero.
    """
    return lambda measured: _ratio(measured[kind][method], measured[kind]["uniform"])


COLUMNS: dict[str, Value] = {
    "‖g_u‖/‖g_m‖": longer,
    "k": lambda measured: measured["k"],
    "correlation": lambda measured: measured["correlation"],
    "mean α_m": lambda measured: measured["alpha"],
    "α_m > 1/2": lambda measured: measured["alpha_above_half"],
    "Pareto": over_uniform("pareto"),
    "Pareto, formula": over_uniform("pareto", "formula"),
    "MMPareto": over_uniform("mmpareto-gamma-1.5"),
}
"""By title of a column, the function that maps the measured gradients of an encoder to a value."""


def text(scope: Scope, records: Records) -> str:
    """Return the table with an explanation and a list of answers to the paper's questions.

    The text is empty if nothing was measured.
    """
    noises = [each for each in noise.of_records(scope, records) if each.seeds]
    if not noises:
        return ""
    head = ["setting", "encoder", "epoch", "seeds", *COLUMNS]
    table = grid(head, [_row(each) for each in noises])
    return "\n".join([table, EXPLANATION, "", *_answers(noises)]) + "\n"


EXPLANATION = (
    "Mean ± standard deviation over the seeds that are there. ‖g_u‖/‖g_m‖: the mean norm of the "
    "unimodal gradients of the mini-batches over that of the joint ones. k: variance of the "
    "unimodal over that of the joint gradient. correlation: of the two gradients' noise. α_m: the "
    "min-norm weight of the joint gradient, and the share of mini-batches where it is above 1/2. "
    "Pareto, MMPareto (γ = 1.5): variance of the integrated gradient over that of the uniform sum; "
    '"formula" is what the paper expects from k and the mean α_m. A dash: no seed has such '
    "a number. Below, a case is a row, by its mean."
)


def _row(each: Noise) -> list[str]:
    cells = [_cell(each.spread(value)) for value in COLUMNS.values()]
    return [each.setting, each.encoder, str(each.epoch), str(len(each.seeds)), *cells]


def _cell(spread: Spread | None) -> str:
    return "–" if spread is None else f"{spread.mean:.2f} ± {spread.deviation:.2f}"


def _answers(noises: list[Noise]) -> list[str]:
    """Return a list item for each question of the paper, answered from the means over seeds."""

    def above(column: str, threshold: float) -> str:
        return noise.count(noises, COLUMNS[column], lambda mean: mean > threshold)

    def below_uniform(column: str) -> str:
        return noise.count(noises, COLUMNS[column], lambda mean: mean < 1)

    return [
        f"* Unimodal gradients are longer than joint ones in {above('‖g_u‖/‖g_m‖', 1)}.",
        f"* Their variance is larger in {above('k', 1)}, more than three times as large in "
        f"{above('k', 3)}.",
        f"* The mean weight of the joint gradient is above 1/2 in {above('mean α_m', 0.5)}.",
        _correlation(noises),
        f"* Conventional Pareto has less noise than the uniform sum in {below_uniform('Pareto')}; "
        f"by the paper's formula in {below_uniform('Pareto, formula')}. {_agreement(noises)}",
        f"* MMPareto has more noise than the uniform sum in {above('MMPareto', 1)}.",
        f"* By a 95 % interval over the seeds: {'; '.join(_told(noises))}.",
    ]


THRESHOLDS = {
    "‖g_u‖/‖g_m‖": 1,
    "k": 1,
    "mean α_m": 0.5,
    "Pareto": 1,
    "Pareto, formula": 1,
    "MMPareto": 1,
}
"""By column, the value that a claim of the paper says it is above or below."""


def _told(noises: list[Noise]) -> list[str]:
    """Return for each column a text on how many cases are above and below its threshold.

    A case counts if the 95 % interval over its seeds does not contain the threshold.
    """
    found = []
    for column, threshold in THRESHOLDS.items():
        seeds = [each.values(COLUMNS[column]) for each in noises]
        signs = [
            Difference.over(values, [threshold] * len(values)).sign for values in seeds if values
        ]
        found.append(
            f"{column} is above {threshold:g} in {signs.count(1)} and below in "
            f"{signs.count(-1)} of {len(signs)} cases"
        )
    return found


def _correlation(noises: list[Noise]) -> str:
    spreads = [each.spread(COLUMNS["correlation"]) for each in noises]
    means = [spread.mean for spread in spreads if spread is not None]
    if not means:
        return "* The correlation of the two gradients, zero in the paper, is not a number."
    return (
        "* The correlation of the two gradients, zero in the paper, is between "
        f"{min(means):.2f} and {max(means):.2f}."
    )


def _agreement(noises: list[Noise]) -> str:
    pairs = [
        (each.spread(COLUMNS["Pareto"]), each.spread(COLUMNS["Pareto, formula"])) for each in noises
    ]
    both = [(found.mean, formula.mean) for found, formula in pairs if found and formula]
    same = sum((found < 1) == (formula < 1) for found, formula in both)
    return f"The two agree in {same} of {len(both)} cases."


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    if numerator is None or not denominator:
        return None
    return numerator / denominator


EXHIBIT = Exhibit(
    "Hypothesis 1 and the noise of section 3.3.3, at fixed parameters",
    noise.needs,
    text,
)
