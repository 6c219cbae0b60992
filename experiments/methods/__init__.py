"""The training methods of the experiments, by name: the paper's, one per file, and the rivals."""

from collections.abc import Callable

from experiments.config import Config
from experiments.errors import UserError
from experiments.methods._method import Losses, Method
from experiments.methods.dwa import dwa
from experiments.methods.joint import joint
from experiments.methods.mmpareto import mmpareto
from experiments.methods.mmpareto_released import mmpareto_released
from experiments.methods.moco import moco
from experiments.methods.pareto import pareto
from experiments.methods.rivals import RIVALS
from experiments.methods.uniform import uniform
from experiments.methods.uniform_gamma import uniform_gamma

__all__ = ["METHODS", "Losses", "Method", "build"]

METHODS: dict[str, Callable[[Config], Method]] = {
    "joint": joint,
    "uniform": uniform,
    "uniform-gamma": uniform_gamma,
    "pareto": pareto,
    "mmpareto": mmpareto,
    "mmpareto-released": mmpareto_released,
    **dict(sorted({**RIVALS, "dwa": dwa, "moco": moco}.items())),
}


def build(config: Config) -> Method:
    """The method that a configuration names.

    Raises:
      UserError: If no method has that name.

    Example:
      >>> build(Config(method="magic"))  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: unknown method 'magic': choose one of ...joint, ...
    """
    if config.method not in METHODS:
        raise UserError(
            f"unknown method {config.method!r}: choose one of {', '.join(sorted(METHODS))}"
        )
    return METHODS[config.method](config)
