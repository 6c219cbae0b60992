"""What docs/methods.md says of each method."""

import re
from pathlib import Path
from typing import NamedTuple

import mmpareto_jax as mmp

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


WEIGHTINGS, COORDINATEWISE = map(rows, PAGE.split("## Coordinate by coordinate"))


def make(name, num_objectives, variant=None):
    """The weighting with its defaults, or the variant that a promise speaks of."""
    if name == "constant":
        return mmp.weightings.constant([1.0 + i for i in range(num_objectives)])
    if variant == "no conflict for c >= 1":
        return mmp.weightings.cagrad(c=1.0)
    if variant == "a slow descent":
        return mmp.weightings.sdmgrad(learning_rate=0.5)
    return getattr(mmp.weightings, name)()
