"""What a table or a figure is."""

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
        """Return the setting of a name."""
        return SETTINGS[self.preset][name]

    def chosen(self, methods: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of some methods that are asked for."""
        return tuple(name for name in methods if not self.methods or name in self.methods)


class Exhibit(NamedTuple):
    """A table or a figure.

    Attributes:
      title: What it shows, in a line.
      needs: The runs and measurements that it is made of.
      text: In Markdown, the table or the figure's caption, from those of them that are there; an
        empty string if they leave nothing to show.
      draw: The figure; None for a table.
    """

    title: str
    needs: Callable[[Scope], list[Item]]
    text: Callable[[Scope, Records], str]
    draw: Callable[[Scope, Records], "Figure"] | None = None
