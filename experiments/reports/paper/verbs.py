"""The verbs ``table N``, ``figure N`` and ``report``."""

import os
from collections.abc import Callable
from pathlib import Path

from experiments.data.storage.files import write_together
from experiments.errors import UserError
from experiments.methods import METHODS
from experiments.reports import page
from experiments.reports.archive import Archive, Places, Records
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.paper.exhibits import EXHIBITS
from experiments.reports.pictures import save

PROTOCOL = Path("docs", "protocol.md")

PICTURE = "Prints the caption and writes the picture below RESULTS/PRESET, as PNG and as SVG."
"""The help of the command of a figure."""

Verb = Callable[..., None]


def verbs(kind: str) -> dict[str, Verb]:
    """Return the verbs of a kind, "table" or "figure", by the word that follows it.

    Example:
      >>> list(verbs("figure"))
      ['1', '2', '3', '4', '5']
    """
    names = [name.removeprefix(f"{kind} ") for name in EXHIBITS if name.startswith(f"{kind} ")]
    return {name: _verb(f"{kind} {name}") for name in names}


def _verb(name: str) -> Verb:
    exhibit = EXHIBITS[name]

    def make(scope: Scope, places: Places, run: bool = True) -> None:
        _require_known(scope)
        archive = Archive(scope.preset, places)
        items = exhibit.needs(scope)
        lacking = archive.finish(items) if run else {}
        records = archive.records(items)
        print(page.section(name, exhibit, scope, records) or page.heading(name, exhibit))
        if missing := page.not_run(exhibit, scope, records, lacking):
            print(f"Not run here: {missing}.")
        if drawn := _draw(name, exhibit, scope, records, archive.folder):
            print(f"{drawn}.png and .svg")

    make.__doc__ = f"""{exhibit.title}.

    {"Prints the table in Markdown." if exhibit.draw is None else PICTURE}

    Args:
      scope: How much is asked for.
      places: Where things are on disk.
      run: Run what is missing; else say what that is.
    """
    return make


def report(scope: Scope, places: Places) -> None:
    """Write the tables and figures of the paper on one page, from what is on disk; run nothing.

    Writes report.md, report.html and the pictures below RESULTS/PRESET. The page lists at its end,
    folded, what was not run.

    Args:
      scope: How much is asked for.
      places: The folders of data, results and runs.
    """
    _require_known(scope)
    archive = Archive(scope.preset, places)
    records = archive.records(
        item for exhibit in EXHIBITS.values() for item in exhibit.needs(scope)
    )
    for name, exhibit in EXHIBITS.items():
        _draw(name, exhibit, scope, records, archive.folder)
    protocol = os.path.relpath(PROTOCOL, archive.folder)
    text = page.markdown(scope, EXHIBITS, records, protocol)
    archive.folder.mkdir(parents=True, exist_ok=True)
    write_together(
        {archive.folder / "report.md": text, archive.folder / "report.html": page.html(text)}
    )
    print(f"{archive.folder / 'report.md'} and report.html")


def _draw(name: str, exhibit: Exhibit, scope: Scope, records: Records, folder: Path) -> Path | None:
    """Write the picture of a figure, if it has anything to show.

    Returns:
      The path of the files without their ending, or None if nothing was written.
    """
    if exhibit.draw is None or not page.is_drawn(exhibit, scope, records):
        return None
    path = folder / page.file_name(name)
    save(exhibit.draw(scope, records), path)
    return path


def _require_known(scope: Scope) -> None:
    if scope.seeds < 1:
        raise UserError(f"seeds must be positive, got {scope.seeds}")
    if unknown := [name for name in scope.methods if name not in METHODS]:
        raise UserError(f"unknown method {unknown[0]!r}: choose one of {', '.join(METHODS)}")
