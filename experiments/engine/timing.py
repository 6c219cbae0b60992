"""Costs of compiled programs: ratios of wall times, steps per second, and FLOPs."""

import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.engine.program import Program

TIMED_ROUNDS = 5
TIMED_STEPS = 20


class Ratio(NamedTuple):
    """A ratio of wall times over several rounds."""

    median: float
    minimum: float
    maximum: float

    def __str__(self) -> str:
        """Write the median, and minimum to maximum.

        Example:
          >>> str(Ratio(1.5, 1.25, 2.0))
          '1.50 (1.25 to 2.00)'
        """
        return f"{self.median:.2f} ({self.minimum:.2f} to {self.maximum:.2f})"

    @classmethod
    def over_rounds(cls, numerator: np.ndarray, denominator: np.ndarray) -> "Ratio":
        """Return median, minimum and maximum of the ratios of two series of times in each round.

        Args:
          numerator: Seconds, ``[rounds]``.
          denominator: Seconds in the same rounds, ``[rounds]``.

        Example:
          >>> Ratio.over_rounds(np.array([2.0, 4.0, 9.0]), np.array([1.0, 2.0, 3.0]))
          Ratio(median=2.0, minimum=2.0, maximum=3.0)
        """
        ratios = numerator / denominator
        return cls(float(np.median(ratios)), float(np.min(ratios)), float(np.max(ratios)))


def times_in_turns(
    programs: Mapping[str, Callable[[], Any]], rounds: int, calls: int = 1
) -> dict[str, np.ndarray]:
    """Measure the seconds per call of each program; in each round the programs take turns.

    Args:
      programs: Functions that start work on the device and return its arrays.
      rounds: The number of rounds, after one round that is not counted.
      calls: The number of calls per program and round.

    Returns:
      The seconds per call of each program, float ``[rounds]``.
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


def steps_per_second(programs: dict[str, Program]) -> dict[str, list[float]]:
    """Measure how many training steps per second each program takes, in several rounds.

    In each round every program takes :data:`TIMED_STEPS` steps, one program after the other, so
    that a change of the machine's load meets them all.

    Args:
      programs: The compiled programs of runs, by name.

    Returns:
      By name, a list of :data:`TIMED_ROUNDS` speeds.
    """
    states, batches = {}, {}
    for method, compiled in programs.items():
        state = compiled.initial_state(0)
        steps = range(1 + TIMED_ROUNDS * TIMED_STEPS)
        batches[method] = compiled.feed.training(state.key, steps)
        states[method], _ = compiled.step(state, next(batches[method]))
        jax.block_until_ready(states[method])
    speeds: dict[str, list[float]] = {method: [] for method in programs}
    for _ in range(TIMED_ROUNDS):
        for method, compiled in programs.items():
            start = time.perf_counter()
            for _ in range(TIMED_STEPS):
                states[method], _ = compiled.step(states[method], next(batches[method]))
            jax.block_until_ready(states[method])
            speeds[method].append(TIMED_STEPS / (time.perf_counter() - start))
    return speeds


def flops(compiled: Any) -> float:
    """Return the floating-point operations of one call of a program, as XLA counts them.

    Args:
      compiled: A ``jax.stages.Compiled``.
    """
    return float(compiled.cost_analysis()["flops"])
