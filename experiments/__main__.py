"""The command line: ``python -m experiments VERB``."""

import functools
import sys

from experiments.command_line import Loads, Verb, group, run, run_and_leave


def _demo() -> Verb:
    from experiments.reports import demo

    return demo.main


def _prepare() -> Verb:
    from experiments.engine.prepare import prepare

    return prepare


def _train() -> Verb:
    from experiments import presets
    from experiments.engine.run import train

    presets.list_names()
    return functools.partial(train, config=presets.of(sys.argv))


def _evaluate() -> Verb:
    from experiments.engine.evaluate import evaluate

    return evaluate


def _table() -> Verb:
    from experiments.reports import methods
    from experiments.reports.paper import verbs

    return group(
        "Regenerate a table of the paper, or compare methods.",
        {**verbs.verbs("table"), "methods": methods.main},
    )


def _figure() -> Verb:
    from experiments.reports.paper import verbs

    return group("Regenerate a figure of the paper.", verbs.verbs("figure"))


def _the_report() -> Verb:
    from experiments.reports.paper import verbs

    return verbs.report


VERBS: Loads = {
    "demo": _demo,
    "prepare": _prepare,
    "train": _train,
    "evaluate": _evaluate,
    "table": _table,
    "figure": _figure,
    "report": _the_report,
}
"""Functions that import a verb, by its name."""


def main() -> None:
    """Run the verb that the command line (``sys.argv``) names, or print the help."""
    run("python -m experiments", "Experiments with MMPareto.", VERBS)


if __name__ == "__main__":
    run_and_leave(main)
