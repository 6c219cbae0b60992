"""The training methods of the experiments: the paper's, one per file, and other methods."""

import ast
import inspect
from collections.abc import Callable
from typing import Any

from experiments.config import Config
from experiments.errors import UserError
from experiments.methods._method import Losses, Method, Pass, Problem
from experiments.methods.agm import agm
from experiments.methods.dwa import dwa
from experiments.methods.g_blending import g_blending
from experiments.methods.greedy import greedy
from experiments.methods.joint import joint
from experiments.methods.mmpareto import mmpareto
from experiments.methods.mmpareto_released import mmpareto_released
from experiments.methods.moco import moco
from experiments.methods.ogm_ge import ogm_ge
from experiments.methods.pareto import pareto
from experiments.methods.pmr import pmr
from experiments.methods.pretrain_finetune import pretrain_finetune
from experiments.methods.rivals import RIVALS
from experiments.methods.uniform import uniform
from experiments.methods.uniform_gamma import uniform_gamma
from experiments.methods.unimodal import unimodal

__all__ = [
    "BALANCING",
    "INTEGRATIONS",
    "METHODS",
    "TABLE_1",
    "TITLES",
    "Losses",
    "Method",
    "Pass",
    "Problem",
    "build",
]

INTEGRATIONS: dict[str, Callable[..., Method]] = {
    "joint": joint,
    "uniform": uniform,
    "uniform-gamma": uniform_gamma,
    "pareto": pareto,
    "mmpareto": mmpareto,
    "mmpareto-released": mmpareto_released,
    **dict(sorted({**RIVALS, "dwa": dwa, "moco": moco}.items())),
}
"""Methods that combine the gradients of the same losses in different ways."""

BALANCING: dict[str, Callable[..., Method]] = {
    "unimodal": unimodal,
    "pretrain-finetune": pretrain_finetune,
    "g-blending": g_blending,
    "ogm-ge": ogm_ge,
    "greedy": greedy,
    "pmr": pmr,
    "agm": agm,
}
"""Methods against imbalanced multimodal learning, and the baselines of their comparison."""

METHODS: dict[str, Callable[..., Method]] = {**INTEGRATIONS, **BALANCING}
"""Every method, by name."""

TABLE_1 = (
    "unimodal",
    "pretrain-finetune",
    "joint",
    "uniform",
    "g-blending",
    "ogm-ge",
    "greedy",
    "pmr",
    "agm",
    "mmpareto",
)
"""The methods of the paper's Table 1, in its order."""

TITLES = {
    "joint": "one joint loss",
    "uniform": "uniform baseline",
    "uniform-gamma": "uniform x gamma (ours)",
    "pareto": "conventional Pareto",
    "gradnorm": "GradNorm",
    "pcgrad": "PCGrad",
    "metabalance": "MetaBalance",
    "mmpareto": "MMPareto",
    "mmpareto-released": "MMPareto, released rule (ours)",
    "unimodal": "each modality by itself",
    "pretrain-finetune": "unimodal pre-trained & fine-tuned",
    "g-blending": "G-Blending",
    "ogm-ge": "OGM-GE",
    "greedy": "Greedy",
    "pmr": "PMR",
    "agm": "AGM",
}
"""Titles of the paper's methods in tables and figures; "ours" marks those that are not in it."""


def build(config: Config) -> Method:
    """Return the method that a configuration names, with the options that it sets.

    Raises:
      UserError: If no method has that name, or the method does not have one of the options.

    Examples:
      >>> build(Config(method="magic"))  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: unknown method 'magic': choose one of ...joint, ...
    """
    if config.method not in METHODS:
        raise UserError(
            f"unknown method {config.method!r}: choose one of {', '.join(sorted(METHODS))}"
        )
    factory = METHODS[config.method]
    return factory(config, **_options(config, inspect.signature(factory)))


def _options(config: Config, signature: inspect.Signature) -> dict[str, Any]:
    """Return the options of a configuration as keyword arguments of the method's factory.

    Args:
      config: The configuration, whose options are texts NAME=VALUE.
      signature: The signature of the factory; its keyword-only parameters are the options.

    Raises:
      UserError: If the method has no option of a name, or a value cannot be read.
    """
    names = [p.name for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY]
    options = {}
    for option in config.options:
        name, _, value = option.partition("=")
        if name not in names:
            known = ", ".join(names) or "none"
            raise UserError(f"method {config.method} has no option {name!r}: there are {known}")
        try:
            options[name] = ast.literal_eval(value)
        except (ValueError, SyntaxError) as error:
            raise UserError(
                f"cannot read option {option!r}: write it as NAME=VALUE, VALUE a number, True or "
                "False"
            ) from error
    return options
