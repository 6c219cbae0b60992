import os
import struct
import time
import wave
from pathlib import Path

import pytest

from experiments.data.clips import Clip, ClipError
from experiments.data.decoding import WINDOW, attempt, frames, in_order, opened
from experiments.errors import UserError


def late(seconds):
    time.sleep(seconds)
    return seconds


@pytest.mark.parametrize("workers", [0, 2])
def test_results_come_in_the_order_of_the_items(workers):
    seconds = [0.2, 0.0, 0.1, 0.0]
    assert list(in_order(late, seconds, workers)) == seconds


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_gives_nothing(workers):
    assert list(in_order(abs, [], workers)) == []


@pytest.mark.parametrize(("workers", "most"), [(0, 1), (2, 2 * WINDOW)])
def test_items_are_taken_as_results_are(workers, most):
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = in_order(abs, items(), workers)
    for count in range(1, 4):
        next(results)
        assert len(taken) < most + count
    results.close()
    assert len(taken) < 100


@pytest.mark.parametrize("workers", [0, 1])
def test_an_exception_is_raised_at_its_turn(workers):
    results = in_order(int, ["1", "two", "3"], workers)
    assert next(results) == 1
    with pytest.raises(ValueError, match="two"):
        next(results)


def test_a_killed_worker_is_an_error_not_a_hang():
    with pytest.raises(UserError, match="fewer workers"):
        list(in_order(os._exit, [1] * 20, workers=1))


def test_an_unusable_clip_is_a_value():
    def decode(clip):
        raise ClipError(f"without {clip.label}")

    clip = Clip("a", "audio", Path("a.wav"), Path("a.flv"))
    assert str(attempt(decode, clip)) == "without audio"
    assert attempt(lambda clip: clip.name, clip) == "a"


def test_other_errors_of_a_clip_are_errors():
    with pytest.raises(TypeError):
        attempt(len, Clip("a", "audio", Path("a.wav"), Path("a.flv")))


def test_a_title_that_is_not_utf8_does_not_keep_a_file_from_being_read(tmp_path):
    path = tmp_path / "titled.wav"
    with wave.open(str(path), "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        sound.writeframes(bytes(2 * 1600))
    title = b"INFOINAM" + struct.pack("<I", 6) + "Zürich".encode("latin-1")
    riff = path.read_bytes() + b"LIST" + struct.pack("<I", len(title)) + title
    path.write_bytes(b"RIFF" + struct.pack("<I", len(riff) - 8) + riff[8:])
    with opened(path) as container:
        assert container.metadata["title"].startswith("Z")
        assert sum(frame.samples for _, frame in frames(container, "audio")) == 1600
