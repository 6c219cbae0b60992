import signal
import struct
import time
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from experiments.data.media.clips import Clip, ClipError
from experiments.data.media.decoding import (
    FATAL,
    WINDOW,
    attempt,
    frames,
    in_order,
    lasts_longer,
    opened,
)
from experiments.data.miniatures import media


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


@pytest.mark.parametrize(("workers", "most"), [(0, WINDOW), (2, 2 * WINDOW)])
def test_items_are_taken_as_results_are(workers, most):
    taken = []

    def items():
        for item in range(100):
            taken.append(item)
            yield item

    results = in_order(abs, items(), workers)
    for count in range(1, 4):
        next(results)
        assert len(taken) - count <= most
    results.close()
    assert len(taken) < 100


@pytest.mark.parametrize("workers", [0, 1])
def test_an_exception_is_raised_at_its_turn(workers):
    results = in_order(int, ["1", "two", "3"], workers)
    assert next(results) == 1
    with pytest.raises(ValueError, match="two"):
        next(results)


CRASH, MEMORY = (f"os.kill(os.getpid(), {signal})" for signal in (signal.SIGSEGV, signal.SIGKILL))
"""What a decoder may do over a file, and what the kernel does when memory is short."""


def processes(*expressions):
    """Items for `eval`, which a process has without importing this module."""
    return [f"(os := __import__('os')) and {expression}" for expression in expressions]


@pytest.mark.parametrize("workers", [0, 2])
def test_items_that_end_their_process_are_told_and_all_others_have_their_results(workers):
    items = processes(CRASH, *"123456", MEMORY, "os._exit(1)", *"7654321", CRASH)
    results = [
        str(result) if isinstance(result, ClipError) else result
        for result in in_order(eval, items, workers)
    ]
    assert results == [FATAL, *range(1, 7), FATAL, FATAL, *range(7, 0, -1), FATAL]


def test_an_item_whose_process_was_killed_for_another_reason_is_not_lost(tmp_path):
    mark = repr(str(tmp_path / "killed"))
    once = f"7 if os.path.exists({mark}) else os.mkdir({mark}) or {MEMORY}"
    assert list(in_order(eval, processes(once, "8"), workers=2)) == [7, 8]


def test_an_item_that_is_never_done_is_told(monkeypatch):
    monkeypatch.setattr("experiments.data.storage.worker.PATIENCE", 1)
    items = processes("__import__('time').sleep(99)", "7")
    assert [str(result) for result in in_order(eval, items, workers=1)] == [FATAL, "7"]


def test_an_unusable_clip_is_a_value():
    def decode(clip):
        raise ClipError(f"without {clip.label}")

    clip = Clip("a", "audio", Path("a.wav"), Path("a.flv"))
    assert str(attempt(decode, clip)) == "without audio"
    assert attempt(lambda clip: clip.name, clip) == "a"


def test_other_errors_of_a_clip_are_errors():
    with pytest.raises(TypeError) as error:
        attempt(len, Clip("a", "audio", Path("a.wav"), Path("a.flv")))
    assert error.value.__notes__ == ["while the clip a was decoded"]


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
    assert sum(decoded.frame.samples for decoded in frames(path, "audio")) == 1600


def test_a_codec_that_nobody_knows_is_told(tmp_path):
    path = tmp_path / "unknown.wav"
    media.write(path, samples=media.sine(440, 0.1, 8000), codecs=(None, "pcm_s16le"))
    content = bytearray(path.read_bytes())
    struct.pack_into("<H", content, content.index(b"fmt ") + 8, 0x7777)
    path.write_bytes(content)
    with pytest.raises(ClipError, match="with audio of an unknown codec"):
        list(frames(path, "audio"))


RECORDINGS = {
    "recording.mp4": (("libx264", "aac"), False),
    "recording.webm": (("vp9", "libopus"), True),
    "recording.mkv": (("libx264", "aac"), True),
    "recording.ts": (("libx264", "aac"), True),
    "recording.flv": (("flv", "libmp3lame"), True),
    "recording.avi": (("mpeg4", "aac"), False),
}


@pytest.fixture(scope="module", params=RECORDINGS)
def recording(request, tmp_path_factory):
    """Four seconds in a format, some of which say nothing of their length, or have no index."""
    codecs, to_pipe = RECORDINGS[request.param]
    path = tmp_path_factory.mktemp("recordings") / request.param
    sound = media.sine(440, 4, 48_000)
    media.write(path, media.numbered(40), sound, rate=48_000, codecs=codecs, to_pipe=to_pipe)
    return path


def test_a_folder_with_a_colon_is_no_protocol(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("data:1", "tone%20#.wav")
    media.write(path.absolute(), samples=media.sine(440, 0.1, 8000), codecs=(None, "pcm_s16le"))
    assert list(frames(path, "audio"))


def test_how_long_a_file_lasts_is_found_in_its_packets(recording):
    assert lasts_longer(recording, 3.9)
    assert not lasts_longer(recording, 4.4)


@pytest.mark.parametrize("kind", ["audio", "video"])
def test_a_stretch_has_the_frames_that_the_whole_has_there(recording, kind):
    whole = [decoded.time for decoded in frames(recording, kind) if 2.5 <= decoded.time < 3.1]
    part = [decoded.time for decoded in frames(recording, kind, 2.5, 3.1)]
    assert part[0] <= 2.5
    assert [time for time in part if time >= 2.5] == whole
    assert len(whole) >= 6


def test_the_first_stream_is_where_time_begins(tmp_path):
    # The sound of this file begins a second before its pictures do.
    path = tmp_path / "clip.mkv"
    with av.open(path, "w") as container:
        sound = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        video = container.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.int16), "s16", "mono")
        samples.sample_rate, samples.pts = 16_000, 5 * 16_000
        container.mux(sound.encode(samples))
        for number, picture in enumerate(media.numbered(20)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = 60 + number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    assert next(frames(path, "audio")).time == 0
    assert next(frames(path, "video")).time == pytest.approx(1, abs=1e-3)
