"""What docs/methods.md says of each method."""

import re
from pathlib import Path
from typing import NamedTuple

PAGE = (Path(__file__).parents[2] / "docs" / "methods.md").read_text()


class Row(NamedTuple):
    name: str
    idea: str
    needs: frozenset[str]
    state: tuple[str, ...]
    promises: frozenset[str]
    cost: str
    reference: str


def listed(cell, separator, empty):
    return () if cell == empty else tuple(part.strip() for part in cell.split(separator))


def rows(section):
    found = {}
    for line in re.findall(r"^\| `.*\|$", section, flags=re.MULTILINE):
        name, idea, needs, state, promises, cost, reference = (
            cell.strip() for cell in line.strip("|").split("|")
        )
        name = name.strip("`")
        assert name not in found
        found[name] = Row(
            name,
            idea,
            frozenset(listed(needs, ",", "nothing")),
            tuple(field.strip("`") for field in listed(state, ",", "none")),
            frozenset(listed(promises, ";", "–")),
            cost,
            reference,
        )
    return found


WEIGHTING_ROWS, COORDINATEWISE_ROWS = map(rows, PAGE.split("## Coordinate-wise methods"))
