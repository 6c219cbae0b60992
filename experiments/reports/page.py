"""The report: the paper's tables and figures as one page, in Markdown and for a browser."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from experiments.reports.archive import LIBRARIES, Records
from experiments.reports.paper.evidence import Item, Run
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.records import Record

TITLE = "The tables and figures of the MMPareto paper"

PRESETS = {
    "quick": (
        "what two processor cores finish: small sets, a few hundred steps. It is not the paper's "
        "experiment, and its numbers are not expected to be the paper's"
    ),
    "paper": "the paper's size: whole data sets, its learning rate and its number of epochs",
}
"""What each is, in a line."""

PROTOCOL = "../../../docs/protocol.md"
"""Where the protocol is, seen from the folder of a preset's results."""


def section(
    name: str, exhibit: Exhibit, scope: Scope, records: Records, lacking: Mapping[str, str]
) -> str:
    """One table or figure in Markdown: what it shows, how it was made, what it lacks.

    A figure's image is the file ``figure-1.png`` (for "figure 1") beside the page.

    Args:
      name: "table 3" or "figure 1".
      exhibit: The table or the figure.
      scope: How much of it was asked for.
      records: What is on disk; what the exhibit does not need is not looked at.
      lacking: By name of a setting, why it cannot be run here.
    """
    needed = list(dict.fromkeys(exhibit.needs(scope)))
    used = [records[item] for item in needed if item in records]
    heading = f"{name.capitalize()}. {exhibit.title}"
    parts = [f"## {heading}"]
    if is_drawn(exhibit, scope, records):
        file = file_name(name)
        parts.append(f"[![{heading}]({file}.png)]({file}.svg)")
    parts += [exhibit.text(scope, records).strip(), _provenance(name, scope, used)]
    if missing := [item for item in needed if item not in records]:
        parts.append(f"Not run here: {'; '.join(_named(missing, needed, lacking))}.")
    return "\n\n".join(parts) + "\n"


def file_name(name: str) -> str:
    """Return the name of an exhibit's files, without its ending.

    Example:
      >>> file_name("figure 1")
      'figure-1'
    """
    return name.replace(" ", "-")


def is_drawn(exhibit: Exhibit, scope: Scope, records: Records) -> bool:
    """Whether an exhibit is a figure and has anything to show."""
    if exhibit.draw is None:
        return False
    needed = exhibit.needs(scope)
    return not needed or any("refused" not in records[item] for item in needed if item in records)


def command(name: str, scope: Scope) -> str:
    """Return the command that makes an exhibit, or the report.

    Example:
      >>> command("table 3", Scope("quick", 5, ("uniform", "pcgrad")))
      'python -m experiments table 3 --preset quick --seeds 5 --methods uniform pcgrad'
    """
    methods = f" --methods {' '.join(scope.methods)}" if scope.methods else ""
    return f"python -m experiments {name} --preset {scope.preset} --seeds {scope.seeds}{methods}"


def markdown(scope: Scope, sections: Iterable[str], protocol: str = PROTOCOL) -> str:
    """Write the whole report in Markdown.

    Args:
      scope: How much was asked for.
      sections: Of its tables and figures, as :func:`section` gives them.
      protocol: The way from the page's folder to docs/protocol.md.
    """
    presets = "\n".join(f"* **{preset}**: {what}." for preset, what in PRESETS.items())
    only = f" and only of the methods {', '.join(scope.methods)}" if scope.methods else ""
    introduction = (
        f"This page is of the preset **{scope.preset}**, with {_count(scope.seeds, 'seed')} for "
        f"each method{only}. There are two presets:\n\n"
        f"{presets}\n\n"
        "What is compared, how, and what counts was fixed before the runs, in the "
        f"[protocol]({protocol}). Numbers of the paper are marked as such; a dash stands for what "
        "is not known here, and below each table and figure stands what was not run.\n\n"
        f"`{command('report', scope)}` writes this page."
    )
    return "\n".join([f"# {TITLE}\n\n{introduction}\n", *sections])


def html(page: str) -> str:
    """Render a page of :func:`markdown` for a browser: one file, with a table of contents.

    Images and links stay relative: the page belongs into the folder of the Markdown.
    """
    from markdown import Markdown

    converter = Markdown(
        extensions=["tables", "toc"], extension_configs={"toc": {"toc_depth": "2-2"}}
    )
    body = converter.convert(page)
    contents = converter.toc  # set by the extension
    return (
        "<!DOCTYPE html>\n"
        '<html lang="en">\n'
        "<head>\n"
        '<meta charset="utf-8" />\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1" />\n'
        f"<title>{TITLE}</title>\n"
        f"<style>\n{STYLE}</style>\n"
        "</head>\n"
        "<body>\n"
        f'<nav aria-label="Contents">\n{contents.strip()}\n</nav>\n'
        f"<main>\n{body}\n</main>\n"
        "</body>\n"
        "</html>\n"
    )


STYLE = """\
:root { color-scheme: light dark; --line: #8886; --shade: #8882; }
body { margin: 0 auto; padding: 1rem; max-width: 62rem; font: 1rem/1.55 system-ui, sans-serif; }
h1, h2 { line-height: 1.25; }
h2 { margin-top: 3rem; padding-top: 1rem; border-top: 1px solid var(--line); }
nav { padding: 0.25rem 1rem; background: var(--shade); border-radius: 0.5rem; }
nav ul { list-style: none; padding: 0; }
table { display: block; overflow-x: auto; border-collapse: collapse; margin: 1rem 0; }
th, td { padding: 0.3rem 0.7rem; border-bottom: 1px solid var(--line); text-align: left; }
th { border-bottom-width: 2px; vertical-align: bottom; }
td { font-variant-numeric: tabular-nums; }
code { padding: 0.1em 0.3em; background: var(--shade); border-radius: 0.25rem; font-size: 0.9em; }
img { display: block; max-width: 100%; margin: 1rem auto; background: white; }
"""


def _provenance(name: str, scope: Scope, used: list[Record]) -> str:
    made = f"Made by `{command(name, scope)}`"
    if not used:
        return f"{made}."
    dates = sorted({record["date"] for record in used})
    days = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    devices = "; ".join(sorted({record["device"] for record in used}))
    versions = ", ".join(
        f"{library} {' and '.join(sorted({record['versions'][library] for record in used}))}"
        for library in LIBRARIES
    )
    return f"{made} from {_count(len(used), 'result')} of {days}. Device: {devices}. {versions}."


def _named(missing: list[Item], needed: list[Item], lacking: Mapping[str, str]) -> Iterator[str]:
    """Name the missing items in words; a setting of which nothing is there, as a whole."""
    for setting, items in _grouped(missing, lambda item: _run(item).setting.name).items():
        reason = lacking.get(setting)
        if len(items) == sum(_run(item).setting.name == setting for item in needed):
            yield f"{setting} ({_all(items)}{f': {reason}' if reason else ''})"
            continue
        for what, same in _grouped(items, _but_for_seed).items():
            seeds = [str(_run(item).seed) for item in same]
            word = "seed" if len(seeds) == 1 else "seeds"
            yield f"{what} {word} {', '.join(seeds)}{f' ({reason})' if reason else ''}"


def _but_for_seed(item: Item) -> str:
    program, _, _ = _run(item).name.rpartition("/")
    if isinstance(item, Run):
        return program
    return f"{item.kind} after {_count(item.epoch, 'epoch')} of {program}"


def _all(items: list[Item]) -> str:
    runs = sum(isinstance(item, Run) for item in items)
    counts = {"run": runs, "measurement": len(items) - runs}
    words = " and ".join(_count(number, noun) for noun, number in counts.items() if number)
    return words if len(items) == 1 else f"all {words}"


def _run(item: Item) -> Run:
    return item if isinstance(item, Run) else item.run


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _grouped(items: list[Item], key: Callable[[Item], str]) -> dict[str, list[Item]]:
    """By key, in the order of first appearance."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
