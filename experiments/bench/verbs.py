"""The verbs of ``bench``: what the library costs, and how well its solvers solve."""

from collections.abc import Callable

from experiments.bench import (
    approximation,
    beside,
    communication,
    cost,
    estimate,
    exactness,
    input,
    methods,
    preparation,
    speed,
    strategies,
)

VERBS: dict[str, Callable[..., None]] = {
    "step": cost.main,
    "weightings": speed.main,
    "optimality": exactness.main,
    "strategies": strategies.main,
    "communication": communication.main,
    "features": approximation.main,
    "peers": beside.main,
    "estimate": estimate.main,
    "input": input.main,
    "preparation": preparation.main,
    "methods": methods.main,
}
