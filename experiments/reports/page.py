"""The report: the paper's tables and figures as one page, in Markdown and for a browser."""

from collections.abc import Callable, Iterator, Mapping

from experiments.reports.archive import LIBRARIES, Records
from experiments.reports.paper.evidence import Item, Run, run_of
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
"""By preset, its description in the introduction of the page."""

PROTOCOL = "../../../docs/protocol.md"
"""The path of docs/protocol.md from ``results/paper/PRESET``, where the page lies by default."""


def heading(name: str, exhibit: Exhibit) -> str:
    """Return the heading of a table or figure, ``"Table 3. TITLE"`` for the name "table 3"."""
    return f"{name.capitalize()}. {exhibit.title}"


def section(name: str, exhibit: Exhibit, scope: Scope, records: Records) -> str:
    """Return the section of the page on a table or figure, in Markdown.

    It has a heading, the picture of a figure, the exhibit's own text and a line on the command,
    dates, devices and versions. The picture is only linked: it is the file ``figure-1.png`` (for
    "figure 1") beside the page.

    Args:
      name: "table 3" or "figure 1".
      exhibit: The table or the figure.
      scope: How much of it was asked for.
      records: The records on disk; those that the exhibit does not need are not looked at.

    Returns:
      The section, or an empty string if nothing was measured.
    """
    text = exhibit.text(scope, records).strip()
    if not text:
        return ""
    parts = [f"## {heading(name, exhibit)}"]
    if is_drawn(exhibit, scope, records):
        parts.append(f"![{heading(name, exhibit)}]({file_name(name)}.png)")
    used = [records[item] for item in dict.fromkeys(exhibit.needs(scope)) if item in records]
    return "\n\n".join([*parts, text, _provenance(name, scope, used)]) + "\n"


def not_run(
    exhibit: Exhibit, scope: Scope, records: Records, lacking: Mapping[str, str] | None = None
) -> str:
    """Name the runs and measurements of a table or figure that are not on disk.

    An example: "crema-d (all 10 runs: no folder crema-d in the folder of data); cg-mnist/pcgrad
    seeds 3, 4".

    Args:
      exhibit: The table or the figure.
      scope: How much of it was asked for.
      records: The records on disk.
      lacking: By name of a setting, why it cannot be run here; such a setting is named with its
        reason. None gives no reasons.

    Returns:
      The names, setting by setting, or an empty string if nothing is missing.
    """
    needed = list(dict.fromkeys(exhibit.needs(scope)))
    missing = [item for item in needed if item not in records]
    return "; ".join(_named(missing, needed, lacking or {}))


def file_name(name: str) -> str:
    """Return the name of the files of a figure's picture, without their ending.

    Example:
      >>> file_name("figure 1")
      'figure-1'
    """
    return name.replace(" ", "-")


def is_drawn(exhibit: Exhibit, scope: Scope, records: Records) -> bool:
    """Return whether an exhibit is a figure and has anything to show.

    A figure has something to show if it needs no records, or if one of those that it needs is on
    disk and is not the record of a method that refused the setting.
    """
    if exhibit.draw is None:
        return False
    needed = exhibit.needs(scope)
    return not needed or any("refused" not in records[item] for item in needed if item in records)


def command(name: str, scope: Scope) -> str:
    """Return the shell command that makes an exhibit or, for the name "report", the report.

    Example:
      >>> command("table 3", Scope("quick", 5, ("uniform", "pcgrad")))
      'python -m experiments table 3 --preset quick --seeds 5 --methods uniform pcgrad'
    """
    methods = f" --methods {' '.join(scope.methods)}" if scope.methods else ""
    return f"python -m experiments {name} --preset {scope.preset} --seeds {scope.seeds}{methods}"


def markdown(
    scope: Scope, exhibits: Mapping[str, Exhibit], records: Records, protocol: str = PROTOCOL
) -> str:
    """Return the text of the whole report, in Markdown.

    It shows what was measured and lists at its end, folded, what was not run.

    Args:
      scope: How much was asked for.
      exhibits: The tables and figures by name, in the order of the page.
      records: The records on disk.
      protocol: The path of docs/protocol.md from the page's folder.
    """
    presets = "\n".join(f"* **{preset}**: {what}." for preset, what in PRESETS.items())
    only = f" and only of the methods {', '.join(scope.methods)}" if scope.methods else ""
    introduction = (
        "This page shows what was measured. It is of the preset "
        f"**{scope.preset}**, with {_count(scope.seeds, 'seed')} for each method{only}. There are "
        "two presets:\n\n"
        f"{presets}\n\n"
        "What is compared, how, and what counts was fixed before the runs, in the "
        f"[protocol]({protocol}). Numbers of the paper are marked as such, and a dash stands for a "
        "number that is not known. What was not run is listed at the end.\n\n"
        f"`{command('report', scope)}` writes this page."
    )
    sections = [section(name, exhibit, scope, records) for name, exhibit in exhibits.items()]
    missing = {
        heading(name, exhibit): not_run(exhibit, scope, records)
        for name, exhibit in exhibits.items()
    }
    parts = [f"# {TITLE}\n\n{introduction}\n", *filter(None, sections), _folded(missing)]
    return "\n".join(filter(None, parts))


def _folded(missing: Mapping[str, str]) -> str:
    """Return the last section of the page, which lists what is missing of each exhibit.

    Args:
      missing: The string that :func:`not_run` returns, by heading of an exhibit.

    Returns:
      The section in Markdown, or an empty string if nothing is missing.
    """
    lines = [f"* **{title}**: {items}." for title, items in missing.items() if items]
    if not lines:
        return ""
    return "\n".join(
        [
            "## Not run here\n",
            "<details>",
            "<summary>Runs and measurements that are missing, by table and figure</summary>\n",
            *lines,
            "\n</details>\n",
        ]
    )


def html(page: str) -> str:
    """Return a page of :func:`markdown` as an HTML document with a table of contents.

    Styles are part of the document. Pictures and links stay relative: the document belongs in the
    folder of the Markdown file.

    Args:
      page: The text of the page, in Markdown.
    """
    from markdown import Markdown

    converter = Markdown(
        extensions=["tables", "toc", "md_in_html"],
        extension_configs={"toc": {"toc_depth": "2-2"}},
    )
    body = converter.convert(page.replace("<details>", '<details markdown="1">'))
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
summary { cursor: pointer; }
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
    """Yield the entries of :func:`not_run`: the missing items in words.

    A setting of which all items are missing is one entry; otherwise an entry has the seeds of one
    method, or of one measurement of a method's runs.

    Args:
      missing: The items that are not on disk, each once.
      needed: All items of the exhibit, each once.
      lacking: By name of a setting, why it cannot be run here.
    """
    for setting, items in _grouped(missing, lambda item: run_of(item).setting.name).items():
        reason = lacking.get(setting)
        if len(items) == sum(run_of(item).setting.name == setting for item in needed):
            yield f"{setting} ({_all(items)}{f': {reason}' if reason else ''})"
            continue
        for what, same in _grouped(items, _but_for_seed).items():
            seeds = [str(run_of(item).seed) for item in same]
            word = "seed" if len(seeds) == 1 else "seeds"
            yield f"{what} {word} {', '.join(seeds)}{f' ({reason})' if reason else ''}"


def _but_for_seed(item: Item) -> str:
    program, _, _ = run_of(item).name.rpartition("/")
    if isinstance(item, Run):
        return program
    return f"{item.kind} after {_count(item.epoch, 'epoch')} of {program}"


def _all(items: list[Item]) -> str:
    runs = sum(isinstance(item, Run) for item in items)
    counts = {"run": runs, "measurement": len(items) - runs}
    words = " and ".join(_count(number, noun) for noun, number in counts.items() if number)
    return words if len(items) == 1 else f"all {words}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _grouped(items: list[Item], key: Callable[[Item], str]) -> dict[str, list[Item]]:
    """Return the items by their key, keys and items in the order of first appearance."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups
