"""What a run scores, and whether two methods differ."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.engine.comparison import Spread
from experiments.markdown import DASH
from experiments.reports.archive import Records
from experiments.reports.paper.evidence import Run
from experiments.reports.records import Record

CONFIDENCE = 0.95
"""Of the interval of a difference."""

CHOSEN_BY = ("accuracy", "mean_iou")
"""The scores whose mean over the tasks chooses the best epoch, where there is no joint head."""


def last(record: Record) -> dict[str, dict[str, float]]:
    """Return the scores after the last epoch, by head and by name."""
    return record["epochs"][-1]["scores"]


def best(record: Record) -> dict[str, dict[str, float]]:
    """Return the scores of the epoch with the best joint accuracy, or the best mean over the tasks.

    It is selected on the test set, as the code released with the paper does.
    """
    return max((epoch["scores"] for epoch in record["epochs"]), key=_merit)


def _merit(scores: dict[str, dict[str, float]]) -> float:
    if "joint" in scores:
        return scores["joint"]["accuracy"]
    found = [head[name] for head in scores.values() for name in CHOSEN_BY if name in head]
    return float(np.mean(found))


class Difference(NamedTuple):
    """The mean of paired differences and the half-width of its interval."""

    mean: float
    margin: float

    @classmethod
    def over(cls, ours: Sequence[float], theirs: Sequence[float]) -> "Difference":
        """Return the difference of two methods' values, paired by seed, with Student's t.

        Example:
          >>> difference = Difference.over([2.0, 3.0, 5.0], [1.0, 1.0, 2.0])
          >>> f"{difference.mean:.2f} ± {difference.margin:.2f}"
          '2.00 ± 2.48'
        """
        from scipy.stats import t

        gaps = np.subtract(ours, theirs)
        if len(gaps) < 2:
            return cls(float(np.mean(gaps)), float("inf"))
        deviation = np.std(gaps, ddof=1) / np.sqrt(len(gaps))
        quantile = t.ppf((1 + CONFIDENCE) / 2, len(gaps) - 1)
        return cls(float(np.mean(gaps)), float(quantile * deviation))

    @property
    def sign(self) -> int:
        """1 or -1 if the interval does not contain zero, else 0: they cannot be told apart."""
        return int(np.sign(self.mean)) if abs(self.mean) > self.margin else 0


def spread(values: Sequence[float], scale: float = 100, digits: int = 1) -> str:
    """Write mean and standard deviation, in percent by default, or a dash if there are no values.

    Example:
      >>> spread([0.5, 0.75]), spread([])
      ('62.5 ± 17.7', '–')
    """
    if not values:
        return DASH
    over_seeds = Spread.over([scale * value for value in values])
    return f"{over_seeds.mean:.{digits}f} ± {over_seeds.deviation:.{digits}f}"


def difference(found: Difference, scale: float = 100, digits: int = 1) -> str:
    """Write a difference with its interval, in bold if it does not contain zero.

    Example:
      >>> difference(Difference(0.02, 0.01)), difference(Difference(-0.02, 0.03))
      ('**+2.0 ± 1.0**', '-2.0 ± 3.0')
    """
    if np.isinf(found.margin):
        return f"{scale * found.mean:+.{digits}f}"
    text = f"{scale * found.mean:+.{digits}f} ± {scale * found.margin:.{digits}f}"
    return f"**{text}**" if found.sign else text


def paired(first: dict[int, Any], second: dict[int, Any]) -> tuple[list[Any], list[Any]]:
    """Return the values of the seeds that both have.

    Example:
      >>> paired({0: 1.0, 1: 2.0}, {1: 5.0, 2: 7.0})
      ([2.0], [5.0])
    """
    seeds = sorted(first.keys() & second.keys())
    return [first[seed] for seed in seeds], [second[seed] for seed in seeds]


def accuracies(records: Records, runs: Sequence[Run], head: str = "joint") -> dict[int, float]:
    """Return a head's accuracies after the last epoch, by seed, of the runs that train it."""
    scores = {run.seed: last(records[run]) for run in runs if run in records}
    return {seed: each[head]["accuracy"] for seed, each in scores.items() if head in each}


def lead(first: dict[int, float], second: dict[int, float]) -> str:
    """Write by how much the first is ahead, paired by seed; a dash if they share no seed."""
    ours, theirs = paired(first, second)
    return difference(Difference.over(ours, theirs)) if ours else DASH
