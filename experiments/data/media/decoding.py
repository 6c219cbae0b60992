"""Sound and pictures of clips from their files, by PyAV, in several processes at once.

A clip that cannot be used does not end the preparation of a set of thousands: it is left out under
a reason (`ClipError`), which the caller puts on record. That holds for a file over which a decoder
crashes, too: decoding runs in processes of its own.
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
"""Items under way for each worker: enough to keep it busy, few enough to hold in memory."""

AHEAD = 1.0
"""Where decoding begins before a stretch, in seconds: decoders of sound need to get going."""

STILLS = ("bmp", "gif", "jpegxl", "mjpeg", "png", "tiff", "webp")
"""Codecs of single pictures."""

FATAL = "fatal to the decoding process"
"""Why a clip is left out that crashes its decoder, takes all memory or is never done."""


def attempt(decode: Callable[[AnyClip], Result], clip: AnyClip) -> Result | ClipError:
    """Decode a clip, or say why it cannot be used: what a worker raises would end the whole.

    Args:
        decode: makes an example of a clip, or raises `ClipError`.
        clip: the clip.

    Returns:
        The example, or the `ClipError` that was raised. Any other exception is raised with the
        name of the clip in a note.

    Example:
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

    At most `WINDOW` items for each worker are under way at a time, so that memory stays bounded
    when the results are consumed slowly. The processes end with this one, even if it is killed.

    When a worker dies, or gives nothing for `experiments.data.storage.worker.PATIENCE` seconds, the
    items under way are tried again one after the other: an item that does so then too, while no
    other runs, is at fault, and the others have their results.

    Args:
        function: picklable.
        items: picklable, as are their results.
        workers: the number of processes; there is at least one, so that this one survives.

    Yields:
        The result of each item, or `ClipError(FATAL)` for one that ends its process, or never
        ends. What the function raises is raised at the item's turn.

    Example:
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
    """Return the result for an item from a process of its own."""
    with closing(Mapped(function, [item], number=1, ahead=1)) as results:
        try:
            return next(results)
        except WorkerError:
            return ClipError(FATAL)


@contextmanager
def opened(path: Path) -> Iterator["av.container.InputContainer"]:
    """Open a file of sound or pictures, and say of what goes wrong meanwhile why.

    Args:
        path: a file in any format that FFmpeg reads.

    Yields:
        PyAV's container.

    Raises:
        UserError: the file is a pointer of Git LFS.
        ClipError: there is no such file; FFmpeg cannot open it, or an error as `damage_told`
            knows it leaves the block.

    Example:
        >>> with opened(Path("no.mp4")):
        ...     pass
        Traceback (most recent call last):
        ...
        experiments.data.media.clips.ClipError: missing
    """
    if not path.exists():
        raise ClipError("missing")
    refuse_pointer(path)
    with damage_told(), _opened_whatever_its_metadata(path) as container:
        yield container


@contextmanager
def damage_told() -> Iterator[None]:
    """Say of what FFmpeg and PyAV cannot decode that it is unreadable.

    Raises:
        ClipError: the block raised what they raise over damaged files and unknown formats.

    Example:
        >>> with damage_told():
        ...     raise ValueError("unknown sample format")
        Traceback (most recent call last):
        ...
        experiments.data.media.clips.ClipError: unreadable
    """
    import av

    try:
        yield
    # PyAV raises KeyError for numbers that it has no name for.
    except (av.FFmpegError, OSError, ValueError, KeyError, MemoryError) as error:
        raise ClipError("unreadable") from error


def _opened_whatever_its_metadata(path: Path) -> "av.container.InputContainer":
    """Open a file whose title and the like may be in any encoding."""
    import av

    file = path.absolute()  # FFmpeg takes what stands before a colon for a protocol
    try:
        return av.open(file)
    except UnicodeDecodeError:  # PyAV before 19 insists on UTF-8 unless it is told not to
        return av.open(file, metadata_errors="replace")


class Decoded(NamedTuple):
    """A decoded frame.

    Attributes:
        time: where it begins, in seconds.
        frame: PyAV's frame.
        pixel_aspect: of a picture, the width of a pixel over its height.
    """

    time: float
    frame: Any
    pixel_aspect: float


def frames(
    path: Path, kind: Literal["audio", "video"], start: float = 0.0, end: float = math.inf
) -> Iterator[Decoded]:
    """Decode the main audio or video stream of a file, or a stretch of it.

    Time is counted from where the file begins, which is where the first of its streams does, so
    that sound and pictures of one time belong together. A frame that bears no time, or an earlier
    one, follows the one before, as do those after it. A picture of the cover is no video.

    Args:
        path: a file in any format that FFmpeg reads.
        kind: "audio" or "video".
        start: where to begin, in seconds.
        end: where to stop, in seconds.

    Yields:
        The frames in the order of time. The first ones may lie before `start`: decoding begins
        where the encoding allows it.

    Raises:
        ClipError: as `opened`; there is no such stream; its frames bear no time and their rate is
            not known.

    Example:
        ```
        for decoded in frames(Path("clip.mp4"), "video"):
            decoded.frame.to_image().save(f"{decoded.time:.2f}.png")
        ```
    """
    with opened(path) as container:
        decoded = _decoded(container, kind, start)
        first = next(decoded, None)
        if first is not None and first.time <= max(start, 0.0):
            yield from _before(end, itertools.chain([first], decoded))
            return
    # It begins late; or the jump ended behind its aim, as it may where a file has no index.
    with opened(path) as container:
        yield from _before(end, _decoded(container, kind))


def _before(end: float, decoded: Iterable[Decoded]) -> Iterator[Decoded]:
    return itertools.takewhile(lambda one: one.time < end, decoded)


def _decoded(
    container: "av.container.InputContainer", kind: Literal["audio", "video"], start: float = 0.0
) -> Iterator[Decoded]:
    """Yield the frames of a stream, from a place before `start` if the file can be searched."""
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
    """Tell whether the sound or the pictures of a file go beyond a time.

    The answer is in the packets of the file: what its header says of its length may be wrong, and
    a file that was written to a pipe says nothing.

    Args:
        path: a file in any format that FFmpeg reads.
        seconds: the time, from where the file begins.

    Returns:
        Whether anything lasts longer.

    Raises:
        ClipError: as `opened`.

    Example:
        ```
        lasts_longer(Path("clip.mp4"), 10.0)
        ```
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
                    origins[index] = packet.pts * step - ends[index]  # its times begin anew
                begins = packet.pts * step - origins[index]
            if packet.dts is not None:
                order[index] = packet.dts
            ends[index] = max(ends[index], begins + (packet.duration or 0) * step)
            if ends[index] > seconds:
                return True
    return False


def _timed(container: "av.container.InputContainer") -> list[Any]:
    """Return the streams of sound and pictures that take time."""
    streams = [stream for stream in container.streams if stream.type in ("audio", "video")]
    return [stream for stream in streams if not _is_cover(stream)]


def _is_cover(stream: Any) -> bool:
    """Whether a stream is a picture that stands alone, as of the cover of a piece of music."""
    if stream.type != "video" or stream.codec_context is None:
        return False
    return stream.codec_context.name in STILLS and not stream.average_rate


def _origin(container: "av.container.InputContainer") -> Fraction:
    """Where the first stream begins, in seconds, exactly: the container has it rounded."""
    starts = [
        stream.start_time * _step(stream)
        for stream in _timed(container)
        if stream.start_time is not None
    ]
    return min(starts, default=Fraction(0))


def _step(stream: Any) -> Fraction:
    """Return the unit of a stream's times, in seconds."""
    return Fraction(stream.time_base.numerator, stream.time_base.denominator)
