"""The verbs ``table N``, ``figure N`` and ``report``."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from experiments.data.storage.files import write_together, write_whole
from experiments.errors import UserError
from experiments.methods import METHODS
from experiments.reports import page
from experiments.reports.archive import Archive, Places, Records
from experiments.reports.paper.exhibit import Scope
from experiments.reports.paper.exhibits import EXHIBITS
from experiments.reports.pictures import save

PROTOCOL = Path("docs", "protocol.md")

Verb = Callable[..., None]


def verbs(kind: str) -> dict[str, Verb]:
    """Return the verbs of a kind, "table" or "figure", by the word that follows it."""
    names = [name.removeprefix(f"{kind} ") for name in EXHIBITS if name.startswith(f"{kind} ")]
    return {name: _verb(f"{kind} {name}") for name in names}


def _verb(name: str) -> Verb:
    exhibit = EXHIBITS[name]

    def make(scope: Scope, places: Places, run: bool = True) -> None:
        _require_known(scope)
        archive = Archive(scope.preset, places)
        items = exhibit.needs(scope)
        lacking = archive.finish(items) if run else {}
        text = _publish(name, scope, archive.folder, archive.records(items), lacking)
        print(f"{text}\n{archive.folder / page.file_name(name)}.md")

    make.__doc__ = f"""{exhibit.title}.

    Args:
      scope: How much is asked for.
      places: Where things are on disk.
      run: Run what is missing; else say what that is.
    """
    return make


def report(scope: Scope, places: Places) -> None:
    """All tables and figures of the paper on one page, from what is on disk; runs nothing.

    Writes report.md and report.html, and each table and figure by itself, below RESULTS/PRESET.

    Args:
      scope: How much is asked for.
      places: Where things are on disk.
    """
    _require_known(scope)
    archive = Archive(scope.preset, places)
    records = archive.records(
        item for exhibit in EXHIBITS.values() for item in exhibit.needs(scope)
    )
    sections = [_publish(name, scope, archive.folder, records, {}) for name in EXHIBITS]
    protocol = os.path.relpath(PROTOCOL, archive.folder)
    text = page.markdown(scope, sections, protocol)
    write_together(
        {archive.folder / "report.md": text, archive.folder / "report.html": page.html(text)}
    )
    print(f"{archive.folder / 'report.md'} and report.html")


def _publish(
    name: str, scope: Scope, folder: Path, records: Records, lacking: Mapping[str, str]
) -> str:
    """Write the text of an exhibit, which it returns, and its picture, if it has one."""
    exhibit = EXHIBITS[name]
    path = folder / page.file_name(name)
    folder.mkdir(parents=True, exist_ok=True)
    if exhibit.draw is not None and page.is_drawn(exhibit, scope, records):
        save(exhibit.draw(scope, records), path)
    text = page.section(name, exhibit, scope, records, lacking)
    write_whole(path.with_suffix(".md"), text)
    return text


def _require_known(scope: Scope) -> None:
    if scope.seeds < 1:
        raise UserError(f"seeds must be positive, got {scope.seeds}")
    if unknown := [name for name in scope.methods if name not in METHODS]:
        raise UserError(f"unknown method {unknown[0]!r}: choose among {', '.join(METHODS)}")
