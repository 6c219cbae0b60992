"""What the command line of a run shows: the defaults of its data set, and the names there are."""

import dataclasses
from collections.abc import Sequence

import tyro

from experiments import config, data, methods, models
from experiments.config import Config
from experiments.models import fusion


@dataclasses.dataclass(frozen=True)
class _Chosen:
    dataset: str = Config.dataset


def of(arguments: Sequence[str]) -> Config:
    """Return the preset of the data set that a command line names, or of the default one.

    The help of ``train`` shows these defaults and the names of the registries, so they must be
    known before the whole line is parsed. What is wrong with the line is reported then.

    Args:
      arguments: The words of the command line.

    Raises:
      UserError: If there is no data set of the name.

    Example:
      >>> of(["train", "--dataset", "cg-mnist", "--epochs", "3"]).optimisation.learning_rate
      0.001
    """
    config.NAMES.update(
        dataset=data.DATASETS,
        model=models.MODELS,
        fusion=fusion.FUSIONS,
        method=methods.METHODS,
    )
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
