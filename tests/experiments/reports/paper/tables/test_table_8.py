"""Table 8: the paper's seconds beside ratios of ours, and seconds of a GPU."""

import pytest

from experiments.reports.paper.evidence import Measurement, Run
from experiments.reports.paper.exhibit import Scope
from experiments.reports.paper.measurements import MEASUREMENTS
from experiments.reports.paper.tables.table_8 import EXHIBIT

SCOPE = Scope("quick", 5)

RATIO = {"median": 0.125, "minimum": 0.1, "maximum": 0.5}


def item(name, preset="quick"):
    return Measurement(Run(Scope(preset).setting(name), "mmpareto", 0), "timing", 0)


COLUMNS = {
    "paper": "paper, s",
    "share": "ours: integration / step",
    "released": "released rule / ours",
    "seconds": "ours: integration, s (variance)",
}


def rows(records):
    """By setting, the cells by column."""
    text = EXHIBIT.text(SCOPE, records)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    head, _, *cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines]
    names = [name for title in head for name, column in COLUMNS.items() if column == title]
    return {name: dict(zip(names, values, strict=True)) for name, *values in cells}


@pytest.mark.parametrize("preset", ["quick", "paper"])
def test_it_needs_a_measurement_of_every_setting(preset):
    names = [
        "crema-d",
        "kinetics-sounds",
        "cg-mnist",
        "modelnet40",
        "cg-digits",
        "multi-mnist",
        "uci-mfeat",
    ]
    needs = EXHIBIT.needs(Scope(preset))
    assert set(needs) == {item(name, preset) for name in names}
    assert all(each.kind in MEASUREMENTS for each in needs)


ON_A_PROCESSOR = {"measured": {"rounds": 20, "device": "cpu", "integration/step": RATIO}}


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("crema-d", 0.11), ("kinetics-sounds", 0.16), ("cg-mnist", 0.05), ("modelnet40", 0.10)],
)
def test_of_a_processor_there_are_ratios_beside_the_papers_seconds(name, seconds):
    assert rows({item(name): ON_A_PROCESSOR}) == {
        name: {"paper": f"{seconds:.2f}", "share": "12.5 % (10.0 to 50.0)"}
    }


def test_a_setting_that_the_paper_did_not_time_has_a_dash():
    found = rows({item(name): ON_A_PROCESSOR for name in ("cg-mnist", "cg-digits")})
    assert found["cg-mnist"]["paper"] == "0.05"
    assert found["cg-digits"] == {"paper": "–", "share": "12.5 % (10.0 to 50.0)"}


def test_of_a_gpu_there_are_seconds_and_its_name():
    measured = {
        "rounds": 20,
        "device": "Some GPU",
        "integration/step": RATIO,
        "released/ours": {"median": 3, "minimum": 2, "maximum": 4},
        "torch": "2.3",
        "seconds": {"integration": {"mean": 0.00234, "variance": 1.2e-9}},
    }
    assert rows({item("uci-mfeat"): {"measured": measured}})["uci-mfeat"] == {
        "share": "12.5 % (10.0 to 50.0)",
        "released": "3.00 (2.00 to 4.00), torch 2.3",
        "seconds": "0.0023 (1e-09), Some GPU",
    }


def test_what_was_refused_has_its_reason():
    refused = {item("multi-mnist"): {"refused": "has no modalities"}}
    assert EXHIBIT.text(SCOPE, refused) == "multi-mnist: has no modalities.\n"
    both = {item("cg-mnist"): ON_A_PROCESSOR, **refused}
    assert set(rows(both)) == {"cg-mnist"}
    assert EXHIBIT.text(SCOPE, both).endswith("\n\nmulti-mnist: has no modalities.\n")
