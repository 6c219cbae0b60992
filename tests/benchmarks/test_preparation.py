"""How fast data sets are prepared."""

import json

import pytest

from benchmarks import preparation
from experiments.data import DATASETS
from experiments.data.miniatures import (
    cmu_mosi,
    crema_d,
    kinetics_sounds,
    mnist,
    modelnet40,
    uci_mfeat,
)
from experiments.data.sets import _mnist as mnist_files
from experiments.errors import UserError

TINY = preparation.Protocol(actors=2, videos=1, objects=1, scenes=1, workers=(0,))

SAMPLES = {
    "crema-d": 2 * 6,
    "kinetics-sounds": 2 * 31,
    "modelnet40": 2 * 40,
    "nyuv2": 2,
    "cmu-mosi": 24 + 11,
    "uci-mfeat": 2000,
    "cg-mnist": 60 + 20,
    "multi-mnist": 60 + 20,
}


@pytest.fixture
def small(monkeypatch):
    """Files that are smaller than the real ones."""
    for module in (cmu_mosi, crema_d, kinetics_sounds):
        monkeypatch.setattr(module, "AS_PUBLISHED", {})
    monkeypatch.setitem(modelnet40.AS_PUBLISHED, "side", 16)


def saved(folder):
    return json.loads((folder / "results.json").read_text())


def rows(folder):
    """The cells of the table by data set."""
    lines = (folder / "table.md").read_text().split("\n\n")[0].splitlines()[2:]
    cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    return {dataset: values for dataset, *values in cells}


def test_every_named_set_can_be_measured():
    assert {*preparation.FROM_FILES} <= set(DATASETS)
    assert {*preparation.WRITERS, "cg-mnist", "multi-mnist"} == set(preparation.FROM_FILES)
    assert set(SAMPLES) == set(preparation.FROM_FILES)


def test_every_set_is_prepared_and_measured(small, tmp_path, monkeypatch, capsys):
    mnist.write(tmp_path / "mnist")
    monkeypatch.setattr(mnist_files, "SHA256", mnist.checksums(tmp_path / "mnist"))
    output = tmp_path / "output"
    preparation.main(TINY, mnist_dir=tmp_path / "mnist", output=output)
    found = saved(output)["preparations"]
    assert {each["dataset"]: each["samples"] for each in found} == SAMPLES
    assert all(each["seconds"] > 0 and each["size"] > 0 for each in found)
    assert "left out" not in capsys.readouterr().err
    for each in found:
        cells = rows(output)[each["dataset"]]
        assert cells[0] == f"{each['samples']:,}"
        assert cells[1] == f"{each['samples'] / each['seconds']:.0f}"
        assert cells[2] == f"{each['size'] / each['samples']:,.0f}"


@pytest.mark.slow
def test_a_dash_stands_for_what_is_not_measured(small, tmp_path):
    uci_mfeat.write(tmp_path / "mfeat")
    protocol = preparation.Protocol(("crema-d", "uci-mfeat", "cg-mnist"), workers=(0, 1), actors=2)
    preparation.main(protocol, mfeat_dir=tmp_path / "mfeat", output=tmp_path / "output")
    table = rows(tmp_path / "output")
    assert table["cg-mnist"] == ["–"] * 4
    assert [cell == "–" for cell in table["uci-mfeat"]] == [False, False, True, False]
    assert "–" not in table["crema-d"]
    assert [
        (each["dataset"], each["workers"]) for each in saved(tmp_path / "output")["preparations"]
    ] == [
        ("crema-d", 0),
        ("crema-d", 1),
        ("uci-mfeat", 0),
    ]


def test_the_files_that_are_given_are_the_ones_that_are_prepared(tmp_path):
    with pytest.raises(UserError, match="mfeat-fac"):
        preparation.main(
            preparation.Protocol(("uci-mfeat",)), mfeat_dir=tmp_path, output=tmp_path / "output"
        )


def test_a_set_that_is_not_made_from_files_is_refused(tmp_path):
    with pytest.raises(UserError, match="cg-digits cannot be measured: choose from crema-d"):
        preparation.main(preparation.Protocol(("cg-digits",)), output=tmp_path)


@pytest.mark.slow
def test_a_clip_of_crema_d_is_as_large_as_a_real_one(tmp_path):
    import av

    preparation.WRITERS["crema-d"](tmp_path, preparation.Protocol(actors=2))
    for actor in (1000, 1001):
        with av.open(tmp_path / "VideoFlash" / f"{actor}_DFA_SAD_XX.flv") as container:
            (video,) = container.streams.video
            frames = sum(1 for _ in container.decode(video))
            assert (video.width, video.height, frames) == (480, 360, 75)
        with av.open(tmp_path / "AudioWAV" / f"{actor}_DFA_SAD_XX.wav") as container:
            (audio,) = container.streams.audio
            samples = sum(frame.samples for frame in container.decode(audio))
            assert (audio.rate, samples) == (16_000, 40_000)
