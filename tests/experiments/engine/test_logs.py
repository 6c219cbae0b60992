"""The log of a run."""

import json

import pytest

from experiments.engine.logs import RunLog, read
from experiments.errors import UserError


def record(epoch):
    return {"epoch": epoch, "step": 10 * epoch, "loss": {"joint": 1.0 / epoch}}


def test_a_resumed_log_holds_each_epoch_once(tmp_path):
    with RunLog(tmp_path, epochs=0) as log:
        for epoch in (1, 2, 3):
            log.write(record(epoch))
    with RunLog(tmp_path, epochs=2) as log:
        log.write(record(3))
    assert read(tmp_path / "metrics.jsonl") == [record(1), record(2), record(3)]


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps(record(1)) + "\n" + json.dumps(record(2))[:9])
    assert read(path) == [record(1)]
    with RunLog(tmp_path, epochs=1) as log:
        log.write(record(2))
    assert read(path) == [record(1), record(2)]


@pytest.mark.parametrize("line", [b'{"epoch": 2, "st\n', b"[]\n", b"7\n", b"\xff\xfe\n"])
def test_a_damaged_line_is_told(line, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(json.dumps(record(1)).encode() + b"\n" + line)
    with pytest.raises(UserError, match=r"metrics\.jsonl, line 2 is damaged: remove"):
        read(path)


def test_tensorboard_holds_every_number_under_its_path(tmp_path):
    with RunLog(tmp_path, epochs=0) as log:
        log.write(record(2))
    (events,) = (tmp_path / "tensorboard").iterdir()
    assert b"loss/joint" in events.read_bytes()
