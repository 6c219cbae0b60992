"""Files of records: whole, sorted, read once, shared by commands."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from experiments.errors import UserError
from experiments.reports import records
from experiments.reports.records import RecordFile

RECORD = {"epochs": [{"loss": 0.1 + 0.2, "norm": float("inf")}], "date": "2026-11-25"}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "quick" / "digits.jsonl"


def names(path):
    return [json.loads(line)["name"] for line in path.read_text().splitlines()]


def test_what_is_added_is_read_to_the_last_digit(path):
    assert RecordFile(path).read() == {}
    RecordFile(path).add("digits/uniform/0", RECORD)
    assert RecordFile(path).read() == {"digits/uniform/0": RECORD}


def test_lines_are_in_the_order_of_their_names_whatever_came_first(path, tmp_path):
    every = ["digits/uniform/1", "digits/joint/0", "digits/uniform/0"]
    for name in every:
        RecordFile(path).add(name, {"of": name})
    again = RecordFile(tmp_path / "again.jsonl")
    for name in reversed(every):
        again.add(name, {"of": name})
    assert names(path) == sorted(every)
    assert path.read_bytes() == again.path.read_bytes()


def test_a_record_that_is_added_twice_stands_there_once(path):
    file = RecordFile(path)
    for number in (1, 2):
        file.add("digits/uniform/0", {"number": number})
    assert file.read() == {"digits/uniform/0": {"number": 2}}
    assert len(names(path)) == 1


def test_what_another_command_adds_is_seen_and_kept(path):
    mine, theirs = RecordFile(path), RecordFile(path)
    mine.add("a", {"of": "me"})
    assert list(theirs.read()) == ["a"]
    theirs.add("b", {"of": "them"})
    assert list(mine.read()) == ["a", "b"]
    mine.add("c", {"of": "me"})
    assert names(path) == ["a", "b", "c"]


def test_commands_that_add_at_the_same_time_lose_nothing(path):
    every = [f"run {number:02}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: RecordFile(path).add(name, {"of": name}), every))
    assert names(path) == every


def test_a_file_is_parsed_once_until_it_changes(path, monkeypatch):
    for name in "abc":
        RecordFile(path).add(name, {"of": name})
    parsed = []
    parse = records._parsed
    monkeypatch.setattr(records, "_parsed", lambda path: parsed.append(path) or parse(path))
    file = RecordFile(path)
    for _ in range(3):
        assert len(file.read()) == 3
    assert len(parsed) == 1
    RecordFile(path).add("d", {"of": "d"})
    parsed.clear()
    assert len(file.read()) == len(file.read()) == 4
    assert len(parsed) == 1


def test_a_file_that_is_removed_is_empty(path):
    file = RecordFile(path)
    file.add("a", {})
    path.unlink()
    assert file.read() == {}


KILLED = """
import os, signal, sys
from pathlib import Path
from experiments.reports.records import RecordFile

file = RecordFile(Path(sys.argv[1]))
os.replace = lambda *paths: os.kill(os.getpid(), signal.SIGKILL)
file.add("b", {"of": "b"})
"""


def test_a_command_that_is_killed_while_it_writes_leaves_the_file_as_it_was(path):
    RecordFile(path).add("a", {"of": "a"})
    before = path.read_bytes()
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=os.environ, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    RecordFile(path).add(
        "c", {"of": "c"}
    )  # neither the lock nor the half-written copy is in the way
    assert names(path) == ["a", "c"]
    assert sorted(each.name for each in path.parent.iterdir()) == [".lock", "digits.jsonl"]


@pytest.mark.parametrize(
    "line", ['{"name":"b","rec', "", "[1, 2]", '{"name":"b"}', '{"name":"b","record":3}', "\xff"]
)
def test_a_damaged_line_is_named_and_nothing_is_lost(path, line):
    RecordFile(path).add("a", {"of": "a"})
    path.write_bytes(path.read_bytes() + line.encode("latin-1") + b"\n" + path.read_bytes())
    damaged = path.read_bytes()
    message = r"digits\.jsonl, line 2 is damaged: remove that line, and the command makes its"
    for use in (RecordFile(path).read, lambda: RecordFile(path).add("c", {})):
        with pytest.raises(UserError, match=message):
            use()
    assert path.read_bytes() == damaged


def test_a_last_line_that_was_cut_short_is_damaged_too(path):
    RecordFile(path).add("a", {"of": "a"})
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(UserError, match="line 1 is damaged"):
        RecordFile(path).read()


def test_two_records_of_one_name_are_an_error(path):
    RecordFile(path).add("a", {"of": "a"})
    path.write_bytes(2 * path.read_bytes())
    with pytest.raises(UserError, match="line 2 is a second record of a: remove one of the two"):
        RecordFile(path).read()
