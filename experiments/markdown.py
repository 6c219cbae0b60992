"""Tables in Markdown, from cells of text."""

from collections.abc import Sequence


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table of cells, with a newline at its end.

    Args:
      head: The titles of the columns.
      rows: The cells, row by row, as many in each as there are titles.

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
    """Return a Markdown table without the rows and the columns that have nothing but dashes.

    Args:
      head: The titles of the columns.
      rows: The cells, row by row; :data:`DASH` stands for a number that is not known.
      labels: The number of columns at the left that name the row; they always stay.

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
