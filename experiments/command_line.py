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
"""By name, imports a verb."""


def run(program: str, description: str, verbs: Loads) -> None:
    """Run the verb that the command line names.

    An error of the user's ends it with one line and status 2.

    Args:
      program: What the help calls the program.
      description: Of the program, for its help.
      verbs: The verbs. One that is named is imported alone: some take long to import.
    """
    with interruption.told():
        try:
            _run(program, description, verbs)
            sys.stdout.flush()
        except UserError as error:
            sys.exit(_report(error))
        except BrokenPipeError:
            _forget_output()
            sys.exit(_report(UserError("nobody reads the output any more: files are whole")))
        except OSError as error:
            sys.exit(_report(of_system(error)))


def run_and_leave(main: Callable[[], None]) -> None:
    """Run a program and end the process with its status."""
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
    """Stand for a verb that is not the one on the command line."""


def group(description: str, verbs: Mapping[str, Verb]) -> Verb:
    """Make a verb of several verbs, in the form that tyro reads: one argument of a union."""
    import tyro

    choices = [
        Annotated[Any, tyro.conf.subcommand(name=name, constructor=verb)]
        for name, verb in verbs.items()
    ]

    def of_one(verb: Any) -> None:
        del verb  # it has run when it gets here

    of_one.__doc__ = description
    # A union of one would be no union: the verb would not be asked for.
    of_one.__annotations__ = {"verb": Union[*choices, Annotated[None, tyro.conf.Suppress]]}
    return of_one


def _forget_output() -> None:
    """Keep Python from trying once more, at its end, to write what nobody reads."""
    with suppress(OSError, ValueError):  # some streams are no files
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(error: UserError) -> int:
    with suppress(OSError):
        print(f"error: {error}", file=sys.stderr)
    return 2
