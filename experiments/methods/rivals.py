"""The rivals: methods of other papers, as the library has them with their default settings."""

import inspect
from collections.abc import Callable

import mmpareto_jax as mmp
from experiments.config import Config
from experiments.methods._method import Method, every_objective

AGGREGATORS = ("grad_drop", "trimmed_mean")
"""The rivals that are aggregators and not weightings, since they work coordinate by coordinate."""

BASELINES = ("uniform", "min_norm", "mmpareto")
"""The weightings of the paper's methods uniform, pareto and mmpareto."""

ELSEWHERE = ("dwa", "moco")
"""Rivals that need more than their defaults and have files of their own."""

NOT_A_METHOD = ("constant",)
"""The weighting with weights of the user: ones are ``uniform``, gammas are ``uniform-gamma``."""


def _weighting(name: str) -> Callable[[Config], Method]:
    def method(config: Config) -> Method:
        del config
        weighting = getattr(mmp.weightings, name)()
        return every_objective(lambda encoders: mmp.aggregate(weighting, encoders))

    return method


def _aggregator(name: str) -> Callable[[Config], Method]:
    def method(config: Config) -> Method:
        del config
        return every_objective(getattr(mmp, name))

    return method


WEIGHTINGS = tuple(
    name
    for name in mmp.weightings.__all__
    if inspect.isfunction(getattr(mmp.weightings, name))
    and name not in BASELINES + NOT_A_METHOD + mmp.weightings.COMBINATORS
)

RIVALS: dict[str, Callable[[Config], Method]] = {
    name.replace("_", "-"): method
    for name, method in sorted(
        [(name, _weighting(name)) for name in WEIGHTINGS]
        + [(name, _aggregator(name)) for name in AGGREGATORS]
    )
}
"""The rivals by name, with dashes for underscores."""
