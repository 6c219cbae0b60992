"""The command line ``python -m benchmarks VERB``; each verb is the module of that name."""

import functools
import importlib

from experiments.command_line import Verb, run, run_and_leave

VERBS = (
    "step",
    "weightings",
    "optimality",
    "strategies",
    "communication",
    "features",
    "peers",
    "estimate",
    "input",
    "preparation",
    "methods",
)


def load(verb: str) -> Verb:
    """Import the module of a verb, such as ``step``, and return the function ``main`` in it."""
    main: Verb = importlib.import_module(f"benchmarks.{verb}").main
    return main


def main() -> None:
    """Run the benchmark (verb) that the arguments of the command line name."""
    run(
        "python -m benchmarks",
        "Measure what the library costs and how exact its solvers are.",
        {verb: functools.partial(load, verb) for verb in VERBS},
    )


if __name__ == "__main__":
    run_and_leave(main)
