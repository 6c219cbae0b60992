"""The command line: ``python -m experiments VERB``."""

import functools
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Union

from experiments import interruption
from experiments.errors import UserError, of_system


def main() -> None:
    """Run a verb; an error of the user's ends it with one line and status 2."""
    with interruption.told():
        try:
            _run()
            sys.stdout.flush()
        except UserError as error:
            sys.exit(_report(error))
        except BrokenPipeError:
            _forget_output()
            sys.exit(_report(UserError("nobody reads the output any more: files are whole")))
        except OSError as error:
            sys.exit(_report(of_system(error)))


def _run() -> None:
    import tyro  # so that the modules below can be used without it

    # A verb that is named is imported alone: some take long to import.
    asked = sys.argv[1] if len(sys.argv) > 1 else None
    tyro.extras.subcommand_cli_from_dict(
        {
            name: load() if asked == name or asked not in VERBS else _not_asked
            for name, load in VERBS.items()
        },
        prog="python -m experiments",
        description="Experiments with MMPareto.",
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )


def _demo() -> Callable[..., None]:
    from experiments import demo

    return demo.main


def _prepare() -> Callable[..., None]:
    from experiments.prepare import prepare

    return prepare


def _train() -> Callable[..., None]:
    from experiments import presets
    from experiments.runs import train

    return functools.partial(train, config=presets.of(sys.argv))


def _evaluate() -> Callable[..., None]:
    from experiments.runs import evaluate

    return evaluate


def _table() -> Callable[..., None]:
    from experiments.paper import verbs
    from experiments.table import methods

    return _group(
        "Regenerate a table of the paper, or compare methods.",
        {**verbs.verbs("table"), "methods": methods.main},
    )


def _figure() -> Callable[..., None]:
    from experiments.paper import verbs

    return _group("Regenerate a figure of the paper.", verbs.verbs("figure"))


def _the_report() -> Callable[..., None]:
    from experiments.paper import verbs

    return verbs.report


def _bench() -> Callable[..., None]:
    from experiments.bench.verbs import VERBS

    return _group("Measure the speed of the library.", VERBS)


VERBS: dict[str, Callable[[], Callable[..., None]]] = {
    "demo": _demo,
    "prepare": _prepare,
    "train": _train,
    "evaluate": _evaluate,
    "table": _table,
    "figure": _figure,
    "report": _the_report,
    "bench": _bench,
}
"""By name, imports a verb."""


def _not_asked() -> None:
    """Stand for a verb that is not the one on the command line."""


def _group(description: str, verbs: Mapping[str, Callable[..., None]]) -> Callable[..., None]:
    """Make a verb of several verbs, in the form that tyro reads: one argument of a union."""
    import tyro

    choices = [
        Annotated[Any, tyro.conf.subcommand(name=name, constructor=verb)]
        for name, verb in verbs.items()
    ]

    def group(verb: Any) -> None:
        del verb  # it has run when it gets here

    group.__doc__ = description
    # A union of one would be no union: the verb would not be asked for.
    group.__annotations__ = {"verb": Union[*choices, Annotated[None, tyro.conf.Suppress]]}
    return group


def _forget_output() -> None:
    """Keep Python from trying once more, at its end, to write what nobody reads."""
    with suppress(OSError, ValueError):  # some streams are no files
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: UserError) -> int:
    with suppress(OSError):
        print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        main()
    except SystemExit as end:
        interruption.leave(end.code)
        raise
    interruption.leave(0)
