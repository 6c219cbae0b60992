"""The scores of a run, and whether the scores of two methods differ."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from experiments.engine.comparison import Spread
from experiments.markdown import DASH
from experiments.reports.archive import Records
from experiments.reports.paper.evidence import Run
from experiments.reports.records import Record

CONFIDENCE = 0.95
"""The confidence of the interval of a difference."""

CHOSEN_BY = ("accuracy", "mean_iou")
"""The scores whose mean over the tasks chooses the best epoch, where there is no joint head."""


def last(record: Record) -> dict[str, dict[str, float]]:
    """Return the scores after the last epoch of a run, by head and then by name of the score.

    Args:
      record: The record of a run, with its epochs.
    """
    return record["epochs"][-1]["scores"]


def best(record: Record) -> dict[str, dict[str, float]]:
    """Return the scores of the epoch with the best joint accuracy, or the best mean over the tasks.

    The epoch is selected on the test set, as the code released with the paper does. Without a joint
    head it is the one with the largest mean of the scores in ``CHOSEN_BY``.

    Args:
      record: The record of a run, with its epochs.

    Returns:
      The scores by head and then by name of the score.
    """
    return max((epoch["scores"] for epoch in record["epochs"]), key=_merit)


def _merit(scores: dict[str, dict[str, float]]) -> float:
    if "joint" in scores:
        return scores["joint"]["accuracy"]
    found = [head[name] for head in scores.values() for name in CHOSEN_BY if name in head]
    return float(np.mean(found))


class Difference(NamedTuple):
    """The mean of paired differences and the half-width of its 95 % interval."""

    mean: float
    margin: float

    @classmethod
    def over(cls, ours: Sequence[float], theirs: Sequence[float]) -> "Difference":
        """Return the mean of the first values less the second, with an interval by Student's t.

        Args:
          ours: The values of the first method, one for each seed; at least one.
          theirs: The values of the second method, for the same seeds in the same order.

        Returns:
          The difference. For a single pair its margin is infinite.

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
        """Return the sign of the mean, 1 or -1, if the interval does not contain zero, else 0."""
        return int(np.sign(self.mean)) if abs(self.mean) > self.margin else 0


def spread(values: Sequence[float], scale: float = 100, digits: int = 1) -> str:
    """Write mean and standard deviation, in percent by default, or a dash if there are no values.

    Args:
      values: The values, one for each seed. The deviation is that of a sample (n - 1).
      scale: The factor of the values; the default shows a share in percent.
      digits: The number of digits after the point.

    Example:
      >>> spread([0.5, 0.75]), spread([])
      ('62.5 ± 17.7', '–')
    """
    if not values:
        return DASH
    over_seeds = Spread.over([scale * value for value in values])
    return f"{over_seeds.mean:.{digits}f} ± {over_seeds.deviation:.{digits}f}"


def difference(found: Difference, scale: float = 100, digits: int = 1) -> str:
    """Write a difference with its interval, in bold if the interval does not contain zero.

    A difference of a single pair, whose interval is infinite, is written without it.

    Args:
      found: The difference.
      scale: The factor of the values; the default shows shares in percentage points.
      digits: The number of digits after the point.

    Example:
      >>> difference(Difference(0.02, 0.01)), difference(Difference(-0.02, 0.03))
      ('**+2.0 ± 1.0**', '-2.0 ± 3.0')
    """
    if np.isinf(found.margin):
        return f"{scale * found.mean:+.{digits}f}"
    text = f"{scale * found.mean:+.{digits}f} ± {scale * found.margin:.{digits}f}"
    return f"**{text}**" if found.sign else text


def paired(first: dict[int, Any], second: dict[int, Any]) -> tuple[list[Any], list[Any]]:
    """Return the values of the seeds that both have, as two lists in the order of the seeds.

    Args:
      first: The values of the first method by seed.
      second: The values of the second method by seed.

    Example:
      >>> paired({0: 1.0, 1: 2.0}, {1: 5.0, 2: 7.0})
      ([2.0], [5.0])
    """
    seeds = sorted(first.keys() & second.keys())
    return [first[seed] for seed in seeds], [second[seed] for seed in seeds]


def accuracies(records: Records, runs: Sequence[Run], head: str = "joint") -> dict[int, float]:
    """Return a head's test accuracies (0 to 1) after the last epoch, by seed.

    Args:
      records: The records on disk.
      runs: Runs with different seeds. Those without a record, or that do not train the head, are
        left out.
      head: The name of the head.
    """
    scores = {run.seed: last(records[run]) for run in runs if run in records}
    return {seed: each[head]["accuracy"] for seed, each in scores.items() if head in each}


def lead(first: dict[int, float], second: dict[int, float]) -> str:
    """Write the mean of the first less the second, paired by seed, in percentage points.

    Args:
      first: Accuracies (0 to 1) by seed.
      second: Accuracies (0 to 1) by seed.

    Returns:
      The text of :func:`difference`, or a dash if the two share no seed.
    """
    ours, theirs = paired(first, second)
    return difference(Difference.over(ours, theirs)) if ours else DASH
