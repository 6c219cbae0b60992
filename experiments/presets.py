"""The default configuration of a run, which depends on the data set, and the names for its help."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated

import tyro

from experiments import data, methods, models
from experiments.config import Config
from experiments.models import fusion

REGISTRIES: Mapping[str, Iterable[str]] = {
    "dataset": data.DATASETS,
    "model": models.MODELS,
    "fusion": fusion.FUSIONS,
    "method": methods.METHODS,
}
"""By setting of :class:`~experiments.config.Config`, the names that it may have."""


@dataclasses.dataclass(frozen=True)
class _Chosen:
    dataset: str = Config.dataset


def of(arguments: Sequence[str]) -> Config:
    """Return the default configuration for the data set that a command line names.

    If it names none, the data set is that of :class:`~experiments.config.Config`. The help of
    ``train`` shows the defaults of the data set, so this reads ``--dataset`` before the whole line
    is parsed. It ignores every other word; the parser of the whole line reports errors in them.

    Args:
      arguments: The words of the command line.

    Raises:
      UserError: If there is no data set with that name.

    Examples:
      >>> of(["train", "--dataset", "cg-mnist", "--epochs", "3"]).optimization.learning_rate
      0.001
    """
    try:
        chosen, _ = tyro.cli(
            _Chosen,
            args=arguments,
            return_unknown_args=True,
            add_help=False,
            console_outputs=False,
        )
    except SystemExit:
        chosen = _Chosen()
    return data.named(chosen.dataset).preset


def list_names() -> None:
    """Let the help of ``train`` list the names that a setting may have.

    The configuration itself imports neither the registries, which are above it, nor tyro.
    """
    for setting, names in REGISTRIES.items():
        Config.__annotations__[setting] = Annotated[str, _one_of(sorted(names))]


def _one_of(names: list[str]) -> object:
    return tyro.conf.arg(
        help_behavior_hint=lambda default: f"(default: {default}; one of {', '.join(names)})"
    )
