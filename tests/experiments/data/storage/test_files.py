"""Result files are written whole or not at all."""

import errno
import fcntl
import os
import resource
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from experiments.data.sets import cg_digits
from experiments.data.storage import prepared
from experiments.data.storage.files import make_folder, write_together, write_whole
from experiments.errors import BreakError, UserError
from experiments.reports import pictures

ROOT = Path(__file__).parents[4]


@contextmanager
def no_file_larger_than(size):
    """As on a disk with so many bytes left: a write takes what fits, and the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_file_that_does_not_fit_leaves_the_one_before(tmp_path):
    path = tmp_path / "evaluation.json"
    write_whole(path, "old")
    with no_file_larger_than(10), pytest.raises(OSError, match=r"evaluation\.json") as error:
        write_whole(path, "new" * 10)
    assert error.value.errno == errno.EFBIG
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_of_files_that_do_not_all_fit_none_is_replaced(tmp_path):
    table, numbers = tmp_path / "table.md", tmp_path / "results.json"
    write_together({table: "old", numbers: "{}"})
    for large in (table, numbers):
        new = {table: "new", numbers: "[]"} | {large: "new" * 10}
        with no_file_larger_than(10), pytest.raises(OSError, match=large.name):
            write_together(new)
        assert (table.read_text(), numbers.read_text()) == ("old", "{}")
    assert sorted(tmp_path.iterdir()) == [numbers, table]


def test_a_file_that_cannot_be_renamed_takes_nothing_of_another_writer(tmp_path, monkeypatch):
    first, second = tmp_path / "a", tmp_path / "b"
    replace = os.replace

    def replaced(partial, path):
        if path == second:
            first.with_name("a.partial").write_text("another writer's")
            raise OSError(errno.EIO, "Input/output error")
        replace(partial, path)

    monkeypatch.setattr(os, "replace", replaced)
    with pytest.raises(OSError, match=r"Input/output error.*/b"):
        write_together({first: "a", second: "b"})
    assert first.with_name("a.partial").read_text() == "another writer's"
    assert not second.with_name("b.partial").exists()


def test_two_spellings_of_one_file_are_one_file(tmp_path):
    (tmp_path / "folder").mkdir()
    write_together({tmp_path / "a": "1", tmp_path / "folder" / ".." / "a": "2"})
    assert (tmp_path / "a").read_text() == "2"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "folder"]


def test_a_folder_in_the_place_of_one_file_leaves_the_others(tmp_path):
    first, second = tmp_path / "a", tmp_path / "z"
    write_whole(first, "old")
    second.mkdir()
    with pytest.raises(IsADirectoryError, match="/z'"):
        write_together({first: "new", second: "new"})
    assert first.read_text() == "old"
    assert sorted(tmp_path.iterdir()) == [first, second]


def test_a_hard_link_beside_a_file_is_not_written_through(tmp_path):
    path, other = tmp_path / "table.md", tmp_path / "other"
    other.write_text("other")
    os.link(other, tmp_path / "table.md.partial")
    write_whole(path, "table")
    assert (path.read_text(), other.read_text()) == ("table", "other")


def test_a_pipe_beside_a_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "table.md.partial")
    with pytest.raises(OSError, match=r"table\.md\.partial"):
        write_whole(tmp_path / "table.md", "table")
    assert not (tmp_path / "table.md").exists()


def test_an_interrupt_while_a_file_is_locked_leaves_nothing(tmp_path, monkeypatch):
    lock = fcntl.flock

    def interrupted(descriptor, how):
        lock(descriptor, how)
        if not how & fcntl.LOCK_NB:
            raise KeyboardInterrupt

    monkeypatch.setattr(fcntl, "flock", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(tmp_path / "table.md", "table")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_file_leaves_the_one_before(tmp_path, monkeypatch):
    def interrupted(partial, path):
        assert partial.read_text() == "new"
        raise KeyboardInterrupt

    path = tmp_path / "table.md"
    write_whole(path, "old")
    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_writers_at_the_same_time_never_tear_a_file(tmp_path):
    path = tmp_path / "report.md"
    write_whole(path, "0" * 100_000)
    script = (
        "import sys; from pathlib import Path\n"
        "from experiments.data.storage.files import write_together, write_whole\n"
        "for _ in range(200): write_whole(Path(sys.argv[1]), sys.argv[2] * 100_000)"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", script, str(path), letter], cwd=ROOT)
        for letter in "abc"
    ]
    while any(writer.poll() is None for writer in writers):
        text = path.read_text()
        assert (len(text), len(set(text))) == (100_000, 1)
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_writer_left_is_taken_over(tmp_path):
    path = tmp_path / "table.md"
    (tmp_path / "table.md.partial").write_text("longer than the table")
    write_whole(path, "table")
    assert path.read_text() == "table"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_beside_a_file_is_not_followed(tmp_path):
    path, other = tmp_path / "table.md", tmp_path / "other"
    other.write_text("other")
    (tmp_path / "table.md.partial").symlink_to(other)
    with pytest.raises(OSError, match=r"table\.md\.partial"):
        write_whole(path, "table")
    assert other.read_text() == "other"
    assert not path.exists()


def test_what_utf_8_cannot_express_is_escaped(tmp_path):
    write_whole(tmp_path / "table.md", os.fsdecode(b"of /data/\xff"))
    assert (tmp_path / "table.md").read_bytes() == rb"of /data/\udcff"


@pytest.mark.parametrize("place", [".", "below"])
def test_a_file_in_the_place_of_a_folder_of_results_is_refused(place, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(UserError, match=f"^{tmp_path}/file is a file, not a folder: name another"):
        make_folder(tmp_path / "file" / place)
    assert (tmp_path / "file").read_text() == "kept"


def test_a_link_that_leads_nowhere_is_refused(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(UserError, match="link is a link that leads nowhere, not a folder: name"):
        make_folder(tmp_path / "link" / "run")


def test_a_folder_of_results_that_cannot_be_written_is_refused(tmp_path, monkeypatch):
    def denied(dir):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), f"{dir}/tmp123")

    monkeypatch.setattr("experiments.data.storage.files.TemporaryFile", denied)
    message = f"^cannot write in {tmp_path}: Permission denied: make it writable"
    with pytest.raises(BreakError, match=message):
        make_folder(tmp_path)


def test_a_folder_of_results_is_made_and_empty(tmp_path):
    make_folder(tmp_path / "runs" / "demo")
    assert list((tmp_path / "runs" / "demo").iterdir()) == []


def test_a_picture_that_does_not_fit_leaves_nothing(tmp_path):
    with no_file_larger_than(1000), pytest.raises(OSError, match=r"curve\.png"):
        pictures.save(Figure(), tmp_path / "curve")
    assert list(tmp_path.iterdir()) == []


def test_a_set_that_does_not_fit_is_told_and_leaves_nothing(tmp_path):
    folder = tmp_path / "prepared"
    with (
        no_file_larger_than(20_000),
        pytest.raises(BreakError, match=f"cannot write to {folder}: File too large: make room"),
    ):
        prepared.prepare(cg_digits.DATASET.recipe, folder)
    assert [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"] == []
    assert prepared.prepare(cg_digits.DATASET.recipe, folder).info.splits["train"].num_examples > 0
