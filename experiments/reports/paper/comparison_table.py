"""The comparison tables: methods on several data sets, the paper's numbers beside ours.

A table has a part (:class:`Block`) for each data set, with a row for each method and several
columns of cells for each score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from experiments.markdown import DASH, filled_grid
from experiments.methods import TITLES
from experiments.reports.archive import Records
from experiments.reports.paper.evidence import Item, Measurement, Run
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.statistics import Difference, best, difference, last, paired, spread

REFERENCE = "uniform"
"""The method that the others are compared with, seed by seed."""

ABLATION = "uniform-gamma"
"""A method that our comparisons add where the paper does not have it: longer steps alone."""


@dataclass(frozen=True)
class Column:
    """A score of one head, which the table shows for every method.

    Attributes:
      title: The title of the score in the table.
      head: The name of the head.
      score: The name of the score.
      scale: The factor of our values in the table: 100 shows a share in percent, 1 a number as it
        is.
      digits: The number of digits after the point; the paper's numbers are shown with one more.
    """

    title: str
    head: str
    score: str = "accuracy"
    scale: float = 100
    digits: int = 1

    @property
    def is_compared(self) -> bool:
        """Return whether the table compares the score with the reference: not for macro F1."""
        return self.score != "macro_f1"


@dataclass(frozen=True)
class Block:
    """The part of a table on one data set.

    Attributes:
      title: The title of the data set: the paper's name, or ours.
      setting: The name of the setting.
      columns: The scores that are shown.
      methods: The methods, one for each row.
      published: The numbers that the paper prints, by method, in the order of the columns (percent
        where a column's scale is 100); None where it prints none. Empty for a data set that the
        paper does not have in this table.
    """

    title: str
    setting: str
    columns: tuple[Column, ...]
    methods: tuple[str, ...]
    published: Mapping[str, Sequence[float | None]]

    def paper(self, method: str, column: Column) -> float | None:
        """Return the number that the paper prints for a method in a column of this data set.

        Args:
          method: The name of the method.
          column: One of the columns.

        Returns:
          The number as printed, in percent where the column's scale is 100; None if the paper
          prints none.
        """
        numbers = self.published.get(method)
        return None if numbers is None else numbers[self.columns.index(column)]

    def is_published(self, column: Column) -> bool:
        """Return whether the paper prints a number for any method in a column."""
        return any(self.paper(method, column) is not None for method in self.published)


JOINT = (Column("acc.", "joint"), Column("macro F1", "joint", "macro_f1"))
"""The columns of a data set of several modalities: accuracy and macro F1 of the joint head."""


def blocks_of(
    titles: Mapping[str, str],
    columns: tuple[Column, ...],
    methods: tuple[str, ...],
    published: Mapping[str, Sequence[Sequence[float | None]]],
) -> tuple[Block, ...]:
    """Return the blocks of several data sets with the same columns and rows.

    Args:
      titles: The title of each data set, by the name of its setting.
      columns: The scores that are shown.
      methods: The methods, one for each row.
      published: The numbers that the paper prints, by method: for each data set in the order of
        ``titles`` a sequence in the order of the columns.

    Returns:
      One block for each data set, in the order of ``titles``.
    """
    return tuple(
        Block(title, setting, columns, methods, {name: row[i] for name, row in published.items()})
        for i, (setting, title) in enumerate(titles.items())
    )


def exhibit(title: str, blocks: tuple[Block, ...], note: str = "") -> Exhibit:
    """Return the exhibit of a table with a part for each data set of which something was run.

    Args:
      title: The title of the table.
      blocks: The parts of the table.
      note: A sentence that is written below the table.
    """

    def needs(scope: Scope) -> list[Item]:
        return [item for block in blocks for item in _needs(block, scope)]

    def text(scope: Scope, records: Records) -> str:
        parts = [
            _text(block, scope, records)
            for block in blocks
            if any(item in records for item in _needs(block, scope))
        ]
        return "\n".join([*parts, note + "\n"] if note and parts else parts)

    return Exhibit(title, needs, text)


def _needs(block: Block, scope: Scope) -> list[Item]:
    setting = scope.setting(block.setting)
    methods, seeds = scope.chosen(block.methods), range(scope.seeds)
    runs = [Run(setting, method, seed) for method in methods for seed in seeds]
    heads = {column.head for column in block.columns}
    return [*runs, *(_probe(run) for run in runs if heads & set(run.unheaded))]


def _probe(run: Run) -> Measurement:
    return Measurement(run, "probe", run.epochs)


def _text(block: Block, scope: Scope, records: Records) -> str:
    head = ["method", *(title for column in block.columns for title in _titles(block, column))]
    rows = [
        [
            TITLES[method],
            *(
                cell
                for column in block.columns
                for cell in _cells(block, method, column, scope, records)
            ),
        ]
        for method in scope.chosen(block.methods)
    ]
    return f"**{block.title}** (setting {block.setting})\n\n{filled_grid(head, rows)}"


def _titles(block: Block, column: Column) -> list[str]:
    titles = [f"{column.title}, last", "best"]
    if block.is_published(column):
        titles += ["paper", "last − paper"]
    if column.is_compared:
        titles.append(f"last − {REFERENCE}")
    return titles


def _cells(block: Block, method: str, column: Column, scope: Scope, records: Records) -> list[str]:
    found = _found(block, method, column, scope, records)
    if found.refused:
        cells = ["/", "/"]
    else:
        after_last = spread(list(found.last.values()), column.scale, column.digits)
        cells = [
            after_last + ("\\*" if found.probed else ""),
            spread(found.best, column.scale, column.digits),
        ]
    if block.is_published(column):
        paper = block.paper(method, column)
        written = DASH if paper is None else f"{paper:.{column.digits + 1}f}"
        cells += [written, _gap(found, column, paper)]
    if column.is_compared:
        cells.append(_lead(block, method, column, scope, records))
    return cells


class _Found(NamedTuple):
    """One score of all runs of a method in a setting, unscaled."""

    last: dict[int, float]  # by seed, after the last epoch
    best: list[float]  # a run each, after its best epoch
    probed: bool  # whether ``last`` comes from linear probes
    refused: bool  # whether the method does not apply to the setting


def _found(block: Block, method: str, column: Column, scope: Scope, records: Records) -> _Found:
    found = _Found({}, [], probed=False, refused=False)
    for seed in range(scope.seeds):
        run = Run(scope.setting(block.setting), method, seed)
        record = records.get(run)
        if record is None:
            continue
        if "refused" in record:
            return found._replace(refused=True)
        if column.head in last(record):
            found.last[seed] = last(record)[column.head][column.score]
        elif _probe(run) in records:
            found.last[seed] = records[_probe(run)]["measured"][column.head][column.score]
            found = found._replace(probed=True)
        if column.head in best(record):
            found.best.append(best(record)[column.head][column.score])
    return found


def _gap(found: _Found, column: Column, paper: float | None) -> str:
    if paper is None or not found.last:
        return DASH
    ours = column.scale * float(np.mean(list(found.last.values())))
    return f"{ours - paper:+.{column.digits}f}"


def _lead(block: Block, method: str, column: Column, scope: Scope, records: Records) -> str:
    """Return the cell with a method's mean score less the reference's, paired by seed.

    It is a dash for the reference itself and where the two share no seed.
    """
    ours, theirs = paired(
        *(_found(block, name, column, scope, records).last for name in (method, REFERENCE))
    )
    if method == REFERENCE or not ours:
        return DASH
    return difference(Difference.over(ours, theirs), column.scale, column.digits)
