"""Tables in Markdown."""

from collections.abc import Sequence


def grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table of cells.

    Example:
      >>> print(grid(["a", "b"], [["1", "2"]]), end="")
      | a | b |
      |---|---|
      | 1 | 2 |
    """
    rule = "|" + "---|" * len(head)
    lines = [f"| {' | '.join(line)} |" for line in (head, *rows)]
    return "\n".join([lines[0], rule, *lines[1:]]) + "\n"
