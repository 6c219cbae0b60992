"""The command line: ``python -m experiments VERB``."""

import functools
import sys
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Union

from experiments.errors import UserError


def main() -> None:
    """Runs a verb; an error of the user's ends it with one line and status 2."""
    import tyro  # so that the modules below can be used without it

    from experiments import demo, presets
    from experiments.bench.verbs import VERBS
    from experiments.paper import verbs
    from experiments.prepare import prepare
    from experiments.runs import evaluate, train
    from experiments.table import methods

    try:
        tyro.extras.subcommand_cli_from_dict(
            {
                "demo": demo.main,
                "prepare": prepare,
                "train": functools.partial(train, config=presets.of(sys.argv)),
                "evaluate": evaluate,
                "table": _group(
                    "Regenerate a table of the paper, or compare methods.",
                    {**verbs.verbs("table"), "methods": methods.main},
                ),
                "figure": _group("Regenerate a figure of the paper.", verbs.verbs("figure")),
                "report": verbs.report,
                "bench": _group("Measure the speed of the library.", VERBS),
            },
            prog="python -m experiments",
            description="Experiments with MMPareto.",
            config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
        )
    except UserError as error:
        sys.exit(_report(error))


def _group(description: str, verbs: Mapping[str, Callable[..., None]]) -> Callable[..., None]:
    """A verb that has verbs of its own, in the form that tyro reads: one argument of a union."""
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


def _report(error: UserError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
