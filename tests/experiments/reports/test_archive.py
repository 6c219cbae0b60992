"""The archive: what is missing is run, once, and a killed run goes on to the same numbers."""

import dataclasses
import json
import shutil
import threading

import numpy as np
import pytest

from experiments.config import Config, Optimization
from experiments.data.miniatures import uci_mfeat
from experiments.data.storage.exclusive import exclusive
from experiments.engine import logs
from experiments.engine.checkpoints import Checkpoints
from experiments.errors import UserError
from experiments.reports import archive as archives
from experiments.reports import records
from experiments.reports.archive import Archive, Places
from experiments.reports.paper.evidence import Measurement, Run
from experiments.reports.paper.measurements import MEASUREMENTS
from experiments.reports.paper.settings import Setting

CLOCK = ("seconds", "waiting")


@pytest.fixture
def setting(linear):
    config = dataclasses.replace(linear(), optimization=Optimization(epochs=3, batch_size=320))
    return Setting("digits", config, files="")


@pytest.fixture
def make(tmp_path):
    """An archive below a folder of its own."""

    def archive(name):
        folder = tmp_path / name
        return Archive("quick", Places(tmp_path, tmp_path, folder / "results", folder / "runs", 0))

    return archive


def numbers(record):
    """A record without what a clock says."""
    epochs = [{k: v for k, v in epoch.items() if k not in CLOCK} for epoch in record["epochs"]]
    return {**record, "epochs": epochs}


def finished(archive, *items):
    assert archive.finish(items) == {}
    found = archive.records(items)
    return [found[item] for item in items]


def test_the_same_command_gives_the_same_numbers(setting, make):
    runs = [Run(setting, "mmpareto", seed) for seed in (0, 1)]
    first, second = (finished(make(name), *runs) for name in "ab")
    assert [numbers(record) for record in first] == [numbers(record) for record in second]
    assert numbers(first[0]) != numbers(first[1])  # another seed


def test_a_killed_run_goes_on_to_the_same_numbers(setting, make, monkeypatch):
    run = Run(setting, "mmpareto", 0)
    (whole,) = finished(make("whole"), run)

    class Killed(BaseException):
        pass

    saved = Checkpoints.save

    def save_and_die(self, state, config):
        saved(self, state, config)
        raise Killed

    killed = make("killed")
    for epoch in (1, 2):  # twice, so that a run that went on is killed too
        with monkeypatch.context() as patch:
            patch.setattr(Checkpoints, "save", save_and_die)
            with pytest.raises(Killed):
                killed.finish([run])
        assert killed.records([run]) == {}
        log = killed._runs / run.name / "metrics.jsonl"
        assert [record["epoch"] for record in logs.read(log)] == list(range(1, epoch + 1))
    (resumed,) = finished(killed, run)
    assert numbers(resumed) == numbers(whole)


def test_what_is_there_is_not_run_again(setting, make, monkeypatch):
    run = Run(setting, "joint", 0)
    archive = make("once")
    finished(archive, run)
    monkeypatch.setattr(archives.program, "build", None)  # would fail if it were called
    finished(archive, run)


def test_a_setting_is_one_file_with_a_line_for_each_run_and_measurement(setting, make, monkeypatch):
    monkeypatch.setitem(MEASUREMENTS, "nothing", lambda *_: {})
    archive, other = make("files"), dataclasses.replace(setting, name="others")
    runs = [Run(setting, "uniform", 0), Run(setting, "joint", 0), Run(other, "joint", 0)]
    finished(archive, *runs, Measurement(runs[1], "nothing", 0))
    lines = {path.name: path.read_text().splitlines() for path in archive.folder.glob("*.jsonl")}
    assert {name: [json.loads(line)["name"] for line in of] for name, of in lines.items()} == {
        "digits.jsonl": ["digits/joint/0", "digits/joint/0-nothing-0", "digits/uniform/0"],
        "others.jsonl": ["others/joint/0"],
    }


def test_a_file_of_records_is_read_once_for_all_items(setting, make, monkeypatch):
    runs = [Run(setting, "joint", seed) for seed in range(2)]
    finished(make("reads"), *runs)
    parsed = []
    parse = records._parsed
    monkeypatch.setattr(records, "_parsed", lambda path: parsed.append(path) or parse(path))
    archive = make("reads")
    finished(archive, *runs)
    finished(archive, *reversed(runs))
    assert len(parsed) == 1


def test_a_damaged_file_of_records_stops_a_command_before_anything_runs(setting, make, monkeypatch):
    run, archive = Run(setting, "joint", 0), make("damaged")
    finished(archive, run)
    path = archive.folder / "digits.jsonl"
    path.write_text(path.read_text()[:100])
    monkeypatch.setattr(archives.program, "build", None)  # would fail if it were called
    with pytest.raises(UserError, match=r"digits\.jsonl, line 1 is damaged: remove that line"):
        archive.finish([run])


def test_one_program_serves_all_seeds(setting, make, monkeypatch):
    built = []
    build = archives.program.build
    monkeypatch.setattr(
        archives.program, "build", lambda *a, **k: built.append(1) or build(*a, **k)
    )
    finished(make("seeds"), *(Run(setting, "joint", seed) for seed in range(3)))
    assert len(built) == 1


def test_a_measurement_is_taken_after_its_epoch(setting, make, monkeypatch):
    def where(compiled, state, encoders):
        first = np.asarray(state.params["heads"]["joint"]["kernel"])
        return {"step": int(state.step), "encoders": list(encoders), "sum": float(first.sum())}

    monkeypatch.setitem(MEASUREMENTS, "where", where)
    run = Run(setting, "joint", 0)
    archive = make("measured")
    items = [Measurement(run, "where", epoch) for epoch in (0, 1, 3)]
    found = [record["measured"] for record in finished(archive, *items)]
    assert [each["step"] for each in found] == [0, 4, 12]
    assert len({each["sum"] for each in found}) == 3
    assert found[0]["encoders"] == ["gray", "color"]


def test_a_record_says_what_it_is_of(setting, make):
    (record,) = finished(make("provenance"), Run(setting, "joint", 1, gamma=2.0))
    assert Config.from_json(record["config"]).gamma == 2.0
    assert record["config"]["seed"] == 1
    assert len(record["date"]) == 10
    assert record["versions"].keys() == {"jax", "flax", "optax"}


def test_a_set_whose_files_are_not_there_is_left_out_with_the_reason(setting, make):
    config = dataclasses.replace(setting.config, dataset="crema-d")
    lacking = Setting("clips", config, files="crema-d")
    archive = make("lacking")
    run, other = Run(lacking, "joint", 0), Run(setting, "joint", 0)
    assert archive.finish([run, other]) == {"clips": "no folder crema-d in the folder of data"}
    assert list(archive.records([run, other])) == [other]


def test_weights_that_are_not_there_are_a_reason_too(setting, make):
    lacking = dataclasses.replace(setting, name="heavy", pretrained="vit.safetensors")
    reason = "no file vit.safetensors in the folder of data"
    assert make("weights").finish([Run(lacking, "uniform", 0)]) == {"heavy": reason}


def test_a_method_that_does_not_admit_the_set_is_on_record(setting, make):
    config = dataclasses.replace(setting.config, dataset="uci-mfeat")
    run = Run(Setting("views", config, files="uci-mfeat"), "greedy", 0)
    archive = make("refused")
    uci_mfeat.write(archive._places.data_dir / "uci-mfeat")
    (record,) = finished(archive, run)
    assert record["refused"].startswith("greedy compares two modalities")


def test_a_mistake_is_not_taken_for_a_method_that_does_not_apply(setting, make):
    archive, run = make("mistake"), Run(setting, "magic", 0)
    with pytest.raises(UserError, match="unknown method 'magic'"):
        archive.finish([run])
    assert archive.records([run]) == {}


def test_a_run_that_another_command_is_at_is_waited_for_and_not_repeated(setting, make):
    run = Run(setting, "joint", 0)
    elsewhere, archive = make("elsewhere"), make("here")
    (record,) = finished(elsewhere, run)
    waiting = threading.Thread(target=archive.finish, args=([run],))
    folder = archive._runs / run.name
    with exclusive(folder):
        waiting.start()
        waiting.join(timeout=5)
        assert waiting.is_alive()
        archive.folder.mkdir(parents=True)
        shutil.copy(elsewhere.folder / "digits.jsonl", archive.folder)
    waiting.join()
    assert archive.records([run]) == {run: record}
    assert [path.name for path in folder.iterdir()] == [".lock"]  # nothing was trained


def test_a_log_with_a_gap_is_not_taken_for_a_record(setting, make):
    run, archive = Run(setting, "joint", 0), make("gap")
    finished(archive, run)
    (archive.folder / "digits.jsonl").unlink()
    log = archive._runs / run.name / "metrics.jsonl"
    log.write_text("".join(log.read_text().splitlines(keepends=True)[:2]))
    with pytest.raises(UserError, match=r"does not have each of its 3 epochs once: remove"):
        archive.finish([run])
    assert archive.records([run]) == {}
