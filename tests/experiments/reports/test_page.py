"""The report: what is missing, how it was made, and a page that a browser can show."""

from html.parser import HTMLParser
from pathlib import Path

import pytest

from experiments.reports import page
from experiments.reports.paper.evidence import Measurement, Run
from experiments.reports.paper.exhibit import Exhibit, Scope
from experiments.reports.paper.settings import SETTINGS

QUICK = SETTINGS["quick"]
SCOPE = Scope("quick", 5)
ROOT = Path(__file__).parents[3]


def runs(setting, method, seeds=range(5), **fields):
    return [Run(QUICK[setting], method, seed, **fields) for seed in seeds]


def record(date="2026-11-20", device="1 x cpu, x86_64", jax="0.10.2", **content):
    versions = {"optax": "0.2.7", "jax": jax, "flax": "0.12.8"}
    return {"epochs": [], "date": date, "device": device, "versions": versions, **content}


def exhibit(
    items, draw=None, title="Accuracy < 100 & more", text="| a | b |\n|---|---|\n| 1 | – |"
):
    return Exhibit(title, lambda scope: list(items), lambda scope, records: text + "\n", draw)


def missing(items, there, lacking=None):
    return page.not_run(exhibit(items), SCOPE, {item: record() for item in there}, lacking)


def test_a_section_has_heading_text_command_and_origin():
    items = runs("cg-mnist", "uniform", range(2))
    records = {
        items[0]: record("2026-11-22", "1 x gpu, x86_64", "0.10.2"),
        items[1]: record("2026-11-20", "1 x cpu, x86_64", "0.10.1"),
    }
    assert page.section("table 3", exhibit(items), SCOPE, records) == (
        "## Table 3. Accuracy < 100 & more\n\n"
        "| a | b |\n|---|---|\n| 1 | – |\n\n"
        "Made by `python -m experiments table 3 --preset quick --seeds 5` from 2 results of "
        "2026-11-20 to 2026-11-22. Device: 1 x cpu, x86_64; 1 x gpu, x86_64. "
        "jax 0.10.1 and 0.10.2, flax 0.12.8, optax 0.2.7.\n"
    )


def test_records_of_other_exhibits_are_not_its_origin():
    (mine,) = runs("cg-mnist", "uniform", [0])
    (other,) = runs("cg-mnist", "pcgrad", [0])
    records = {mine: record(), other: record("2020-01-01", "1 x other, arm64", "0.1")}
    text = page.section("table 3", exhibit([mine, mine]), SCOPE, records)
    assert "from 1 result of 2026-11-20. Device: 1 x cpu, x86_64. jax 0.10.2," in text


def test_nothing_missing_is_not_mentioned():
    items = runs("cg-mnist", "uniform")
    assert missing(items, items) == ""


def test_a_setting_without_results_is_one_entry_with_its_reason():
    whole = [run for name in ("uniform", "pcgrad") for run in runs("crema-d", name)]
    some = runs("cg-mnist", "pcgrad")
    lacking = {"crema-d": "no folder crema-d in the folder of data", "nyuv2": "unused"}
    assert missing([*whole, *some], some[:3], lacking) == (
        "crema-d (all 10 runs: no folder crema-d in the folder of data); cg-mnist/pcgrad seeds 3, 4"
    )


def test_a_setting_without_results_or_reason_is_one_entry():
    items = runs("cg-mnist", "uniform", [0])
    measured = Measurement(items[0], "timing", 0)
    assert missing([*items, measured], []) == "cg-mnist (all 1 run and 1 measurement)"
    assert missing(items, []) == "cg-mnist (1 run)"


def test_what_is_left_of_a_setting_keeps_its_reason():
    items = runs("crema-d", "uniform", range(3))
    found = missing(items, items[1:], {"crema-d": "no folder"})
    assert found == "crema-d/uniform seed 0 (no folder)"


def test_measurements_and_factors_are_told_apart():
    there = runs("cg-mnist", "uniform", range(2))
    strong = runs("cg-mnist", "mmpareto", [1], gamma=2.0)
    measured = [Measurement(run, kind, 1) for kind in ("hessian", "timing") for run in there]
    after = [Measurement(there[0], "hessian", 4)]
    assert missing([*there, *strong, *measured, *after], [*there, measured[0]]) == (
        "cg-mnist/mmpareto-gamma-2.0 seed 1; "
        "hessian after 1 epoch of cg-mnist/uniform seed 1; "
        "timing after 1 epoch of cg-mnist/uniform seeds 0, 1; "
        "hessian after 4 epochs of cg-mnist/uniform seed 0"
    )


def test_a_refused_run_is_not_missing():
    items = runs("uci-mfeat", "ogm-ge", range(2))
    records = {item: record(refused="takes two modalities") for item in items}
    assert page.not_run(exhibit(items), SCOPE, records) == ""


@pytest.mark.parametrize(
    ("content", "drawn"), [(None, False), ({"refused": "no"}, False), ({}, True)]
)
def test_a_figure_is_shown_when_there_is_something_to_show(content, drawn):
    items = runs("cg-mnist", "uniform")
    figure = exhibit(items, draw=lambda scope, records: None, title="Curves")
    records = {} if content is None else {items[0]: record(**content)}
    text = page.section("figure 1", figure, SCOPE, records)
    assert ("![Figure 1. Curves](figure-1.png)" in text) == drawn
    assert page.is_drawn(figure, SCOPE, records) == drawn
    assert not page.is_drawn(exhibit(items), SCOPE, {items[0]: record()})


def test_the_command_has_the_methods_that_were_asked_for():
    scope = Scope("paper", 1, ("uniform", "pcgrad"))
    line = "python -m experiments table 3 --preset paper --seeds 1 --methods uniform pcgrad"
    assert page.command("table 3", scope) == line
    text = page.markdown(scope, {}, {})
    assert "preset **paper**, with 1 seed for each method and only of the methods uniform" in text


class Elements(HTMLParser):
    """Checks that tags are closed in their order, and collects attributes and text."""

    VOID = ("meta", "img", "br", "hr", "link")

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.text = [], [], ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        assert tag in self.VOID
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag, attribute):
        return [
            attrs[attribute] for name, attrs in self.found if name == tag and attribute in attrs
        ]


@pytest.fixture
def report(tmp_path):
    """A report on disk: a table and a figure with nothing, and both with a part of their runs."""
    folder = tmp_path / "results" / "paper" / "quick"
    folder.mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "protocol.md").write_text("# Protocol\n")
    (folder / "figure-1.png").write_text("an image")
    items = runs("cg-mnist", "uniform")
    records = {item: record() for item in items[:2]}
    lacking = runs("crema-d", "uniform")
    exhibits = {
        "table 1": exhibit(lacking, title="Nothing < all", text=""),
        "table 2": exhibit(items, text="– \\*: a < b, 5 > 3 & c\n\n| a |\n|---|\n| 1 |"),
        "table 3": exhibit(items[:2], title="Complete"),
        "figure 1": exhibit(items, lambda *_: None, 'Loss, "best" & last'),
        "figure 2": exhibit(lacking, lambda *_: None, "Empty", text=""),
    }
    text = page.markdown(SCOPE, exhibits, records)
    (folder / "report.md").write_text(text)
    (folder / "report.html").write_text(page.html(text))
    return folder


def test_every_tag_is_closed(report):
    Elements((report / "report.html").read_text())


def test_every_link_leads_somewhere(report):
    elements = Elements((report / "report.html").read_text())
    ids = {attrs["id"] for _, attrs in elements.found if "id" in attrs}
    links = elements.all("a", "href") + elements.all("img", "src")
    assert {"figure-1.png", page.PROTOCOL} <= set(links)
    for link in links:
        if link.startswith("#"):
            assert link[1:] in ids
        else:
            assert (report / link).is_file()


def test_a_browser_gets_contents_tables_and_images_with_words(report):
    elements = Elements((report / "report.html").read_text())
    contents = [href for href in elements.all("a", "href") if href.startswith("#")]
    assert len(contents) == 4
    assert [tag for tag, _ in elements.found].count("table") == 3
    assert [tag for tag, _ in elements.found].count("details") == 1
    assert elements.all("img", "alt") == ['Figure 1. Loss, "best" & last']
    assert "– *: a < b, 5 > 3 & c" in elements.text
    assert "Table 2. Accuracy < 100 & more" in elements.text
    assert "color-scheme: light dark" in elements.text


def test_what_was_not_run_is_folded_at_the_end(report):
    shown, folded = (report / "report.md").read_text().split("<details>\n")
    headings = [line for line in shown.splitlines() if line.startswith("## ")]
    assert headings == [
        "## Table 2. Accuracy < 100 & more",
        "## Table 3. Complete",
        '## Figure 1. Loss, "best" & last',
        "## Not run here",
    ]
    assert folded.endswith("\n\n</details>\n")
    rest = "cg-mnist/uniform seeds 2, 3, 4."
    assert [line for line in folded.splitlines() if line.startswith("* ")] == [
        "* **Table 1. Nothing < all**: crema-d (all 5 runs).",
        f"* **Table 2. Accuracy < 100 & more**: {rest}",
        f'* **Figure 1. Loss, "best" & last**: {rest}',
        "* **Figure 2. Empty**: crema-d (all 5 runs).",
    ]


def test_a_browser_folds_a_list_of_what_was_not_run(report):
    html = (report / "report.html").read_text()
    folded = html.split("<details>")[1].split("</details>")[0]
    assert folded.startswith("\n<summary>")
    assert folded.count("<li>") == 4
    assert "<strong>Table 1. Nothing &lt; all</strong>: crema-d (all 5 runs)." in folded
    assert "Table 1" not in html.split("<details>")[0]


def test_a_complete_report_folds_nothing():
    items = runs("cg-mnist", "uniform")
    text = page.markdown(SCOPE, {"table 1": exhibit(items)}, {item: record() for item in items})
    assert "Not run here" not in text
    assert "<details>" not in text


def test_an_exhibit_of_which_nothing_was_measured_has_no_section():
    empty = exhibit(runs("cg-mnist", "uniform"), text="")
    assert page.section("table 1", empty, SCOPE, {}) == ""


def test_the_report_says_which_preset_it_is_of(report):
    introduction = (report / "report.md").read_text().split("\n## ")[0]
    assert "of the preset **quick**, with 5 seeds for each method." in introduction
    assert all(f"* **{preset}**: " in introduction for preset in SETTINGS)
    assert f"[protocol]({page.PROTOCOL})" in introduction
    assert "`python -m experiments report --preset quick --seeds 5`" in introduction


def test_the_protocol_is_where_the_standard_folder_of_results_expects_it():
    assert (ROOT / "results" / "paper" / "quick" / page.PROTOCOL).resolve() == (
        ROOT / "docs" / "protocol.md"
    )
    assert (ROOT / "docs" / "protocol.md").is_file()


def test_the_order_of_the_records_does_not_matter():
    items = runs("cg-mnist", "uniform")
    made = {
        item: record(f"2026-11-2{i}", f"{i} x cpu", f"0.10.{i}") for i, item in enumerate(items[:3])
    }
    turned = dict(reversed(made.items()))
    first, second = (
        page.section("table 1", exhibit(items), SCOPE, records) for records in (made, turned)
    )
    assert first == second


def test_the_same_input_gives_the_same_bytes(report):
    text = (report / "report.md").read_text()
    assert page.html(text).encode() == (report / "report.html").read_bytes()


def test_a_figure_that_needs_no_run_is_always_drawn():
    illustration = exhibit([], lambda *_: None, "Illustration")
    assert page.is_drawn(illustration, SCOPE, {})
    assert "figure-2.png" in page.section("figure 2", illustration, SCOPE, {})
