"""The verbs of ``bench``: what the library costs, and how well its solvers solve."""

from collections.abc import Callable

from experiments.bench import cost, exactness, speed

__all__ = ["VERBS"]

VERBS: dict[str, Callable[..., None]] = {
    "step": cost.main,
    "weightings": speed.main,
    "optimality": exactness.main,
}
