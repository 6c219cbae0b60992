"""The types of a table or figure (an exhibit), and of how much of it is asked for (its scope)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from experiments.reports.archive import Records
from experiments.reports.paper.evidence import Item
from experiments.reports.paper.settings import SETTINGS, Preset, Setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Scope(NamedTuple):
    """How much of an exhibit is asked for."""

    preset: Preset = "quick"
    seeds: int = 5
    """Runs of each method, with seeds 0, 1, ..."""
    methods: tuple[str, ...] = ()
    """Only these, of the methods that it compares; none means all."""

    def setting(self, name: str) -> Setting:
        """Return the setting of a name, such as "cg-mnist", in the size of the preset."""
        return SETTINGS[self.preset][name]

    def chosen(self, methods: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the given methods that are asked for, in the given order.

        All are returned if no methods are named.
        """
        return tuple(name for name in methods if not self.methods or name in self.methods)


class Exhibit(NamedTuple):
    """A table or a figure of the report.

    Attributes:
      title: What it shows, in a line.
      needs: Maps a scope to the runs and measurements that the exhibit is made of.
      text: Maps a scope and the records on disk to the table or the figure's caption, in Markdown;
        an empty string if there is nothing to show. Missing records leave gaps.
      draw: Maps a scope and the records on disk to the figure; None for a table.
    """

    title: str
    needs: Callable[[Scope], list[Item]]
    text: Callable[[Scope, Records], str]
    draw: Callable[[Scope, Records], "Figure"] | None = None
