"""A comparison of methods: its protocol, its runs, and what the runs come to."""

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
"""A run's accuracy is the mean over this many last epochs."""

DIAGNOSED = ("uniform", "uniform-gamma")
"""Methods that learn of conflict only if asked to, which leaves their updates the same."""

History = list[dict[str, Any]]
"""The records of one run, as :func:`experiments.engine.loop.train` makes them."""

Histories = Mapping[str, list[History]]
"""For each method, for each seed, the records of the run."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What a comparison runs; the same for every method, and fixed before the runs."""

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
        """Its SGD: the defaults of train for the data set, apart from what the protocol says."""
        return dataclasses.replace(
            DATASETS[self.dataset].preset.optimization,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
        )

    def config(self, method: str) -> Config:
        """Return the configuration of the runs of a method."""
        return dataclasses.replace(
            DATASETS[self.dataset].preset,
            method=method,
            gamma=self.gamma,
            diagnose=method in DIAGNOSED,
            optimization=self.optimization,
        )


class Spread(NamedTuple):
    """Mean and standard deviation over seeds or rounds."""

    mean: float
    deviation: float

    @classmethod
    def over(cls, values: Any) -> "Spread":
        """Return the spread of some values, with the deviation of a sample; 0 for one value.

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
    """Make the runs of one method, one after the other with one compiled program.

    Args:
      program: The method's program.
      protocol: What to run.
      on_epoch: Called after each epoch, for a progress bar.
      on_end: Called with the last state of each run.

    Returns:
      For each seed the records of its run.
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
    """For each run a score of a head, its mean over the last epochs; None if untrained."""
    if head not in seeds[0][0]["scores"]:
        return None
    return [
        float(np.mean([record["scores"][head][score] for record in run[-LAST_EPOCHS:]]))
        for run in seeds
    ]


def conflicts(seeds: list[History], encoder: str) -> list[float] | None:
    """For each run the share of steps in conflict; None if the method does not measure it."""
    if encoder not in seeds[0][0]["encoders"]:
        return None
    return [
        float(np.mean([record["encoders"][encoder]["conflict"] for record in run])) for run in seeds
    ]


def spread(values: list[float] | None) -> Spread | None:
    """Return the spread of values that a method may not give."""
    return None if values is None else Spread.over(values)


def per_cent(share: Spread | None) -> str:
    """Write a share in per cent, or a dash.

    Example:
      >>> per_cent(Spread(0.5, 0.25)), per_cent(None)
      ('50.0 ± 25.0', '–')
    """
    return "–" if share is None else f"{100 * share.mean:.1f} ± {100 * share.deviation:.1f}"
