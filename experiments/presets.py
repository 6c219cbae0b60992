"""The defaults of a run: those of the data set that a command line names."""

import dataclasses
from collections.abc import Sequence

from experiments import data
from experiments.config import Config


@dataclasses.dataclass(frozen=True)
class _Chosen:
    dataset: str = Config.dataset


def of(arguments: Sequence[str]) -> Config:
    """Return the preset of the data set that a command line names, or of the default one.

    The help of ``train`` shows these defaults, so they must be known before the whole line is
    parsed. What is wrong with the line is reported then.

    Args:
      arguments: The words of the command line.

    Raises:
      UserError: If there is no data set of the name.

    Example:
      >>> of(["train", "--dataset", "cg-mnist", "--epochs", "3"]).optimisation.learning_rate
      0.001
    """
    import tyro

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
