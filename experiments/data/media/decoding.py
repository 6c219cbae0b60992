"""Decode the sound and pictures of clips by PyAV, in several processes.

A clip that cannot be used does not end the preparation of a set of thousands. It is left out with a
reason (``ClipError``), which the caller records. This includes a file that crashes its decoder,
since decoding runs in separate processes.
"""

import itertools
import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeVar

from experiments.data.media.clips import Clip, ClipError
from experiments.data.storage.lfs import refuse_pointer
from experiments.data.storage.worker import Mapped, WorkerError

if TYPE_CHECKING:
    import av

Item = TypeVar("Item")
Result = TypeVar("Result")
AnyClip = TypeVar("AnyClip", bound=Clip)

WINDOW = 4
"""Items in progress for each worker: enough to keep it busy, few enough to hold in memory."""

AHEAD = 1.0
"""Seconds by which decoding begins before the start of a part: decoders of sound need a lead."""

STILLS = ("bmp", "gif", "jpegxl", "mjpeg", "png", "tiff", "webp")
"""Codecs of single pictures."""

FATAL = "fatal to the decoding process"
"""The reason for a clip that crashes its decoder, takes all memory or does not end."""


def attempt(decode: Callable[[AnyClip], Result], clip: AnyClip) -> Result | ClipError:
    """Decode a clip, or return the reason why it cannot be used.

    The reason is returned because an exception in a worker would end the whole preparation.

    Args:
      decode: Function that makes an example from a clip, or raises ``ClipError``.
      clip: The clip.

    Returns:
      The example, or the ``ClipError`` that was raised. The name of the clip is added as a note to
      any other exception.

    Examples:
      >>> attempt(lambda clip: clip.label, Clip("a", "dog", Path("a.wav"), Path("a.flv")))
      'dog'
    """
    try:
        return decode(clip)
    except ClipError as problem:
        return problem
    except Exception as error:
        error.add_note(f"while the clip {clip.name} was decoded")
        raise


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result | ClipError]:
    """Map a function over items in processes, lazily and in order.

    At most ``WINDOW`` items for each worker are in progress at a time, so that memory stays bounded
    if the results are consumed slowly. The processes end with this one, even if it is killed.

    If a worker dies, or gives no result for ``experiments.data.storage.worker.PATIENCE`` seconds,
    the items in progress are repeated one after the other. An item that fails again while no other
    runs is the cause, and the others have their results.

    Args:
      function: The function, picklable.
      items: The items, picklable as are their results.
      workers: Number of processes; at least one is used, so that a crash does not end this process.

    Yields:
      The result of each item, or ``ClipError(FATAL)`` if it ends its process or does not end.
      An exception of the function is raised when its item's result is due.

    Examples:
      >>> list(in_order(abs, [-1, 2, -3], workers=1))
      [1, 2, 3]
    """
    waiting = iter(items)
    under_way: deque[Item] = deque()

    def taken() -> Iterator[Item]:
        for item in waiting:
            under_way.append(item)
            yield item

    while True:
        with closing(Mapped(function, taken(), max(1, workers), WINDOW)) as results:
            try:
                for result in results:
                    under_way.popleft()
                    yield result
                return
            except WorkerError:
                pass
        while under_way:
            yield _alone(function, under_way.popleft())


def _alone(function: Callable[[Item], Result], item: Item) -> Result | ClipError:
    """Return ``function(item)``, computed in a new process.

    If the process dies, as of a file that crashes its decoder, the result is a :class:`ClipError`.
    """
    with closing(Mapped(function, [item], number=1, ahead=1)) as results:
        try:
            return next(results)
        except WorkerError:
            return ClipError(FATAL)


@contextmanager
def opened(path: Path) -> Iterator["av.container.InputContainer"]:
    """Open a file of sound or pictures, and turn decoding errors of the block into ``ClipError``.

    Args:
      path: A file in any format that FFmpeg reads.

    Yields:
      PyAV's container.

    Raises:
      UserError: If the file is a pointer of Git LFS.
      ClipError: If there is no such file; FFmpeg cannot open it; or the block raises an error that
        ``reporting_damage`` converts.

    Examples:
      >>> with opened(Path("no.mp4")):
      ...     pass
      Traceback (most recent call last):
      ...
      experiments.data.media.clips.ClipError: missing
    """
    if not path.exists():
        raise ClipError("missing")
    refuse_pointer(path)
    with reporting_damage(), _opened_whatever_its_metadata(path) as container:
        yield container


@contextmanager
def reporting_damage() -> Iterator[None]:
    """Turn decoding errors of FFmpeg and PyAV into ``ClipError("unreadable")``.

    Raises:
      ClipError: If the block raised an error that they raise for damaged files or unknown formats.

    Examples:
      >>> with reporting_damage():
      ...     raise ValueError("unknown sample format")
      Traceback (most recent call last):
      ...
      experiments.data.media.clips.ClipError: unreadable
    """
    import av

    try:
        yield
    # PyAV raises KeyError for numbers without a name.
    except (av.FFmpegError, OSError, ValueError, KeyError, MemoryError) as error:
        raise ClipError("unreadable") from error


def _opened_whatever_its_metadata(path: Path) -> "av.container.InputContainer":
    """Return PyAV's container of a file whose metadata, such as a title, may have any encoding."""
    import av

    file = path.absolute()  # FFmpeg takes the text before a colon for a protocol
    try:
        return av.open(file)
    except UnicodeDecodeError:  # PyAV before 19 requires UTF-8 by default
        return av.open(file, metadata_errors="replace")


class Decoded(NamedTuple):
    """A decoded frame.

    Attributes:
      time: The start of the frame, in seconds from the start of the first stream.
      frame: The frame, as PyAV returns it.
      pixel_aspect: Width of a pixel over its height, for pictures.
    """

    time: float
    frame: Any
    pixel_aspect: float


def frames(
    path: Path, kind: Literal["audio", "video"], start: float = 0.0, end: float = math.inf
) -> Iterator[Decoded]:
    """Decode the main audio or video stream of a file, or a part of it.

    Time is counted from the start of the first stream, so that sound and pictures of the same time
    belong together. If a frame has no time, or an earlier one than the last frame, it counts as
    directly after that frame, and later frames are shifted with it. A cover picture is no video.

    Args:
      path: A file in any format that FFmpeg reads.
      kind: "audio" or "video".
      start: Start of the part, in seconds. By default that of the file.
      end: End of the part, in seconds. By default that of the file.

    Yields:
      The frames in the order of time. The first ones may lie before ``start``, since decoding can
      begin only at certain frames.

    Raises:
      ClipError: As for ``opened``; or if there is no such stream, or its frames have no times and
        no known rate.
    """
    with opened(path) as container:
        decoded = _decoded(container, kind, start)
        first = next(decoded, None)
        if first is not None and first.time <= max(start, 0.0):
            yield from _before(end, itertools.chain([first], decoded))
            return
    # The stream begins late, or the seek ended after ``start``, as it may in a file without index.
    with opened(path) as container:
        yield from _before(end, _decoded(container, kind))


def _before(end: float, decoded: Iterable[Decoded]) -> Iterator[Decoded]:
    return itertools.takewhile(lambda one: one.time < end, decoded)


def _decoded(
    container: "av.container.InputContainer", kind: Literal["audio", "video"], start: float = 0.0
) -> Iterator[Decoded]:
    """Yield the frames of the main stream of a kind, in the order of time.

    Args:
      container: The opened file.
      kind: "audio" or "video".
      start: Seconds from the start of the first stream. If the file is seekable, the frames begin
        at some time before it, otherwise at the start of the file.

    Raises:
      ClipError: If there is no such stream, its codec is unknown, or its frames have no times and
        no known rate.
    """
    import av

    stream: Any = container.streams.best(kind)
    if stream is None or _is_cover(stream):
        raise ClipError(f"without {kind}")
    if stream.codec_context is None:
        raise ClipError(f"with {kind} of an unknown codec")
    stream.codec_context.thread_count = 1  # the workers share the cores already
    step, origin = _step(stream), _origin(container)
    if start > AHEAD:
        with suppress(av.FFmpegError):
            container.seek(math.floor((origin + Fraction(start - AHEAD)) / step), stream=stream)
    pixel_aspect, rate = 1.0, 0.0
    if kind == "video":
        pixel_aspect = float(stream.sample_aspect_ratio or 1)
        rate = float(stream.guessed_rate or 0)
    time, following = -math.inf, 0.0
    for frame in container.decode(stream):
        lasts = frame.samples / frame.sample_rate if kind == "audio" else rate and 1 / rate
        if frame.pts is None:
            if not lasts:
                raise ClipError("without times")
            time = following
        else:
            stated = float(frame.pts * step - origin)
            if stated < time:
                origin -= Fraction(following - stated)
                stated = following
            time = stated
        yield Decoded(time, frame, pixel_aspect)
        following = time + lasts


def lasts_longer(path: Path, seconds: float) -> bool:
    """Return whether the sound or the pictures of a file last longer than a time.

    The packets of the file are read, since the length in its header may be wrong, or missing in a
    file that was written to a pipe.

    Args:
      path: A file in any format that FFmpeg reads.
      seconds: The time, from the start of the file.

    Returns:
      Whether any stream lasts longer.

    Raises:
      ClipError: As for ``opened``.
    """
    with opened(path) as container:
        streams, origin = _timed(container), _origin(container)
        origins = {stream.index: origin for stream in streams}
        ends = dict.fromkeys(origins, Fraction(0))
        order: dict[int, int] = {}
        for packet in container.demux(streams) if streams else ():
            index, step = packet.stream.index, _step(packet.stream)
            begins = ends[index]
            if packet.pts is not None:
                if packet.dts is not None and packet.dts < order.get(index, packet.dts):
                    origins[index] = packet.pts * step - ends[index]  # its times restart
                begins = packet.pts * step - origins[index]
            if packet.dts is not None:
                order[index] = packet.dts
            ends[index] = max(ends[index], begins + (packet.duration or 0) * step)
            if ends[index] > seconds:
                return True
    return False


def _timed(container: "av.container.InputContainer") -> list[Any]:
    """Return the streams of sound and pictures, without cover pictures."""
    streams = [stream for stream in container.streams if stream.type in ("audio", "video")]
    return [stream for stream in streams if not _is_cover(stream)]


def _is_cover(stream: Any) -> bool:
    """Return whether a stream is a single picture, such as the cover of a piece of music."""
    if stream.type != "video" or stream.codec_context is None:
        return False
    return stream.codec_context.name in STILLS and not stream.average_rate


def _origin(container: "av.container.InputContainer") -> Fraction:
    """Return the exact start of the first stream in seconds, which the container has rounded."""
    starts = [
        stream.start_time * _step(stream)
        for stream in _timed(container)
        if stream.start_time is not None
    ]
    return min(starts, default=Fraction(0))


def _step(stream: Any) -> Fraction:
    """Return the unit of a stream's times, in seconds."""
    return Fraction(stream.time_base.numerator, stream.time_base.denominator)
