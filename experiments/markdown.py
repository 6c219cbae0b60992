"""Tables in Markdown."""

from collections.abc import Sequence


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of cells.

    Examples:
      >>> print(grid(["a", "b"], [["1", "2"]]), end="")
      | a | b |
      |---|---|
      | 1 | 2 |
    """
    rule = "|" + "---|" * len(head)
    lines = [f"| {' | '.join(line)} |" for line in (head, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"


DASH = "–"
"""Stands in a cell for a number that is not known."""


def filled_grid(head: Sequence[str], rows: Sequence[Sequence[str]], labels: int = 1) -> str:
    """Write a table of cells, but for the rows and the columns that have nothing but dashes.

    Args:
      head: The titles of the columns.
      rows: The cells, row by row.
      labels: How many columns at the left name the row; they always stay.

    Returns:
      The table, or an empty string if no cell has a value.

    Example:
      >>> print(filled_grid(["", "a", "b"], [["x", "–", "1"], ["y", "–", "–"]]), end="")
      |  | b |
      |---|---|
      | x | 1 |
    """
    filled = [row for row in rows if set(row[labels:]) - {DASH}]
    kept = [i for i in range(len(head)) if i < labels or any(row[i] != DASH for row in filled)]
    return grid([head[i] for i in kept], [[row[i] for i in kept] for row in filled]) * bool(filled)
