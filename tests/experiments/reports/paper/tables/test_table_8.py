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


def rows(records, scope=SCOPE):
    text = EXHIBIT.text(scope, records)
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    return {name: values for name, *values in filter(None, cells)}


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


def test_without_records_the_papers_numbers_stand_alone():
    found = rows({})
    assert found["crema-d"] == ["0.11", "–", "–", "–"]
    assert found["kinetics-sounds"] == ["0.16", "–", "–", "–"]
    assert found["cg-mnist"] == ["0.05", "–", "–", "–"]
    assert found["modelnet40"] == ["0.10", "–", "–", "–"]
    assert found["uci-mfeat"] == ["–", "–", "–", "–"]


def test_of_a_processor_there_are_ratios():
    measured = {"rounds": 20, "device": "cpu", "integration/step": RATIO}
    assert rows({item("cg-mnist"): {"measured": measured}})["cg-mnist"] == [
        "0.05",
        "12.5 % (10.0 to 50.0)",
        "–",
        "–",
    ]


def test_of_a_gpu_there_are_seconds_and_its_name():
    measured = {
        "rounds": 20,
        "device": "Some GPU",
        "integration/step": RATIO,
        "released/ours": {"median": 3, "minimum": 2, "maximum": 4},
        "torch": "2.3",
        "seconds": {"integration": {"mean": 0.00234, "variance": 1.2e-9}},
    }
    assert rows({item("uci-mfeat"): {"measured": measured}})["uci-mfeat"] == [
        "–",
        "12.5 % (10.0 to 50.0)",
        "3.00 (2.00 to 4.00), torch 2.3",
        "0.0023 (1e-09), Some GPU",
    ]


def test_what_was_refused_has_its_reason():
    records = {item("multi-mnist"): {"refused": "has no modalities"}}
    assert rows(records)["multi-mnist"] == ["–", "–", "–", "–"]
    assert "\nmulti-mnist: has no modalities.\n" in EXHIBIT.text(SCOPE, records)
