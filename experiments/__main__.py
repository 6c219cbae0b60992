"""The command line: ``python -m experiments VERB``."""

import sys

from experiments.errors import UserError


def main() -> None:
    """Runs a verb; an error of the user's ends it with one line and status 2."""
    import tyro  # so that the modules below can be used without it

    from experiments import bench, demo
    from experiments.runs import evaluate, train

    try:
        tyro.extras.subcommand_cli_from_dict(
            {"demo": demo.main, "train": train, "evaluate": evaluate, "bench": bench.main},
            prog="python -m experiments",
            description="Experiments with MMPareto.",
            config=(tyro.conf.OmitArgPrefixes,),
        )
    except UserError as error:
        sys.exit(_report(error))


def _report(error: UserError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    main()
