"""A comparison of methods: its protocol, its runs and the summaries of the runs."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from experiments.config import Config, Optimization
from experiments.data import DATASETS
from experiments.engine.loop import train
from experiments.engine.program import Program
from experiments.engine.state import TrainState

LAST_EPOCHS = 5
"""The number of epochs at the end of a run over which its accuracy is averaged."""

DIAGNOSED = ("uniform", "uniform-gamma")
"""Methods that measure conflict only with ``diagnose``, which does not change their updates."""

History = list[dict[str, Any]]
"""The records of the epochs of one run, as :func:`experiments.engine.loop.train` makes them."""

Histories = Mapping[str, list[History]]
"""By method, the histories of its runs, one for each seed."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """The settings of a comparison, the same for every method and fixed before the runs."""

    dataset: str = "cg-digits"
    """Data set; its preset has what is not said here."""
    seeds: int = 3
    """Runs per method, with seeds 0, 1, ..."""
    epochs: int = 14
    """Epochs per run. A run's accuracy is its mean over the last five."""
    learning_rate: float = 0.02
    """Learning rate of SGD; twice the default of train, to learn enough in so few epochs."""
    gamma: float = 1.5
    """MMPareto's gamma and the factor of uniform x gamma."""

    @property
    def optimization(self) -> Optimization:
        """Return the settings of SGD.

        They are the defaults of ``train`` for the data set, except for what the protocol sets.
        """
        return dataclasses.replace(
            DATASETS[self.dataset].preset.optimization,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
        )

    def config(self, method: str) -> Config:
        """Return the configuration of the runs of a method, with the default seed, 0.

        The methods of ``DIAGNOSED`` run with ``diagnose``.
        """
        return dataclasses.replace(
            DATASETS[self.dataset].preset,
            method=method,
            gamma=self.gamma,
            diagnose=method in DIAGNOSED,
            optimization=self.optimization,
        )


class Spread(NamedTuple):
    """The mean and the sample standard deviation of values, one for each seed or round."""

    mean: float
    deviation: float

    @classmethod
    def over(cls, values: Any) -> "Spread":
        """Return the spread of some values.

        Args:
          values: The values, at least one. The deviation is that of a sample (n - 1), and 0 for a
            single value.

        Example:
          >>> Spread.over([1.0, 2.0, 3.0])
          Spread(mean=2.0, deviation=1.0)
        """
        deviation = np.std(values, ddof=min(1, len(values) - 1))
        return cls(float(np.mean(values)), float(deviation))


def run_seeds(
    program: Program,
    protocol: Protocol,
    on_epoch: Callable[[], object],
    on_end: Callable[[TrainState], object] = lambda state: None,
) -> list[History]:
    """Run one method with each seed, one after the other, with one compiled program.

    Args:
      program: The compiled program of the method.
      protocol: The settings of the comparison.
      on_epoch: Called after each epoch, for a progress bar.
      on_end: Called with the last state of each run.

    Returns:
      The records of the run of each seed.
    """
    histories: list[History] = []
    for seed in range(protocol.seeds):
        history: History = []

        def record(state: TrainState, epoch: dict[str, Any], history: History = history) -> None:
            history.append(epoch)
            on_epoch()

        on_end(train(program, program.initial_state(seed), protocol.epochs, record))
        histories.append(history)
    return histories


def accuracies(seeds: list[History], head: str, score: str = "accuracy") -> list[float] | None:
    """Return a test score of a head for each run, as the mean over the last five epochs.

    Args:
      seeds: The history of each run of one method.
      head: The name of the head.
      score: The name of the score.

    Returns:
      The scores, one for each run (an accuracy is from 0 to 1), or None if the method does not
      train the head.
    """
    if head not in seeds[0][0]["scores"]:
        return None
    return [
        float(np.mean([record["scores"][head][score] for record in run[-LAST_EPOCHS:]]))
        for run in seeds
    ]


def conflicts(seeds: list[History], encoder: str) -> list[float] | None:
    """Return for each run the share of all steps in which an encoder's gradients conflict.

    Two gradients conflict if their inner product is negative. This function takes the histories
    that a command has in memory; :func:`experiments.reports.paper.conflict.share` takes records on
    disk.

    Args:
      seeds: The history of each run of one method.
      encoder: The name of the encoder.

    Returns:
      The shares, 0 to 1, one for each run, or None if the method does not measure conflict.
    """
    if encoder not in seeds[0][0]["encoders"]:
        return None
    return [
        float(np.mean([record["encoders"][encoder]["conflict"] for record in run])) for run in seeds
    ]


def spread(values: list[float] | None) -> Spread | None:
    """Return the mean and standard deviation of values, or None if ``values`` is None."""
    return None if values is None else Spread.over(values)


def per_cent(share: Spread | None) -> str:
    """Write a share in percent, or a dash for None.

    Example:
      >>> per_cent(Spread(0.5, 0.25)), per_cent(None)
      ('50.0 ± 25.0', '–')
    """
    return "–" if share is None else f"{100 * share.mean:.1f} ± {100 * share.deviation:.1f}"
