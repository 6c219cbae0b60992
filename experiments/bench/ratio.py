"""Ratios of wall times, from programs that take turns."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np


class Ratio(NamedTuple):
    """A ratio of wall times over several rounds."""

    median: float
    minimum: float
    maximum: float

    @classmethod
    def over_rounds(cls, numerator: np.ndarray, denominator: np.ndarray) -> "Ratio":
        """Return the round-by-round ratio of two series of times.

        Example:
          >>> Ratio.over_rounds(np.array([2.0, 4.0, 9.0]), np.array([1.0, 2.0, 3.0]))
          Ratio(median=2.0, minimum=2.0, maximum=3.0)
        """
        ratios = numerator / denominator
        return cls(float(np.median(ratios)), float(np.min(ratios)), float(np.max(ratios)))


def times_in_turns(
    programs: Mapping[str, Callable[[], Any]], rounds: int, calls: int = 1
) -> dict[str, np.ndarray]:
    """Seconds per call of each program, one number a round; in a round the programs take turns.

    Args:
      programs: Functions that start work on the device and return its arrays.
      rounds: Number of rounds, after one that is not counted.
      calls: Calls per program and round.

    Returns:
      For each program its times, ``[rounds]``.
    """
    times: dict[str, list[float]] = {name: [] for name in programs}
    for counted in [False] + [True] * rounds:
        for name, program in programs.items():
            start = time.perf_counter()
            for _ in range(calls):
                jax.block_until_ready(program())
            if counted:
                times[name].append((time.perf_counter() - start) / calls)
    return {name: np.array(values) for name, values in times.items()}
