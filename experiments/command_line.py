"""Command lines of verbs, such as ``python -m experiments VERB``."""

import os
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Union

from experiments.engine import interruption
from experiments.errors import UserError, of_system

Verb = Callable[..., None]

Loads = Mapping[str, Callable[[], Verb]]
"""Functions that import a verb, by its name."""


def run(program: str, description: str, verbs: Loads) -> None:
    """Run the verb that the command line names.

    A :class:`UserError` ends the process with one line on standard error and status 2.

    Args:
      program: The name of the program in the help.
      description: The description of the program in the help.
      verbs: The verbs. Only the named one is imported, since some take long to import.
    """
    with interruption.told():
        try:
            _run(program, description, verbs)
            sys.stdout.flush()
        except UserError as error:
            sys.exit(_report(error))
        except BrokenPipeError:
            _forget_output()
            sys.exit(_report(UserError("nobody reads the output any more: files are complete")))
        except OSError as error:
            sys.exit(_report(of_system(error)))


def run_and_leave(main: Callable[[], None]) -> None:
    """Run a program and end the process with its exit status.

    Args:
      main: The program. It may raise ``SystemExit``; returning means status 0.
    """
    try:
        main()
    except SystemExit as end:
        interruption.leave(end.code)
        raise
    interruption.leave(0)


def _run(program: str, description: str, verbs: Loads) -> None:
    import tyro  # so that the modules of the verbs can be used without it

    asked = sys.argv[1] if len(sys.argv) > 1 else None
    tyro.extras.subcommand_cli_from_dict(
        {
            name: load() if asked == name or asked not in verbs else _not_asked
            for name, load in verbs.items()
        },
        prog=program,
        description=description,
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )


def _not_asked() -> None:
    """Stand for a verb that the command line does not name, so that it need not be imported."""


def group(description: str, verbs: Mapping[str, Verb]) -> Verb:
    """Make one verb of several verbs, as a function with one argument of a union for tyro.

    Args:
      description: The help of the verb.
      verbs: The verbs by the word that follows on the command line.
    """
    import tyro

    choices = [
        Annotated[Any, tyro.conf.subcommand(name=name, constructor=verb)]
        for name, verb in verbs.items()
    ]

    def of_one(verb: Any) -> None:
        del verb  # tyro has run it already

    of_one.__doc__ = description
    # With None, since a union of one verb would be no union and tyro would not ask for the verb.
    of_one.__annotations__ = {"verb": Union[*choices, Annotated[None, tyro.conf.Suppress]]}
    return of_one


def _forget_output() -> None:
    """Redirect output to nowhere, so that Python does not fail to write it at exit."""
    with suppress(OSError, ValueError):  # some streams are not files
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: UserError) -> int:
    with suppress(OSError):
        print(f"error: {error}", file=sys.stderr)
    return 2
