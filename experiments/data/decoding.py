"""Sound and pictures of clips from their files, by PyAV, in several processes at once.

A clip that cannot be used does not end the preparation of a set of thousands: it is left out under
a reason (`ClipError`), which the caller puts on record.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from experiments.data.clips import Clip, ClipError
from experiments.errors import UserError
from experiments.worker import end_with_parent

if TYPE_CHECKING:
    import av

Item = TypeVar("Item")
Result = TypeVar("Result")
AnyClip = TypeVar("AnyClip", bound=Clip)

WINDOW = 4
"""Items under way for each worker: enough to keep it busy, few enough to hold in memory."""


def attempt(decode: Callable[[AnyClip], Result], clip: AnyClip) -> Result | ClipError:
    """Decode a clip, or say why it cannot be used: what a worker raises would end the whole.

    Args:
        decode: makes an example of a clip, or raises `ClipError`.
        clip: the clip.

    Returns:
        The example, or the `ClipError` that was raised.

    Example:
        >>> attempt(lambda clip: clip.label, Clip("a", "dog", Path("a.wav"), Path("a.flv")))
        'dog'
    """
    try:
        return decode(clip)
    except ClipError as problem:
        return problem


def in_order(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int
) -> Iterator[Result]:
    """Map a function over items in several processes, lazily and in order.

    At most `WINDOW` items for each worker are under way at a time, so that memory stays bounded
    when the results are consumed slowly. The processes end with this one, even if it is killed.

    Args:
        function: picklable.
        items: picklable, as are their results.
        workers: the number of processes; 0 maps in this one.

    Yields:
        The result of each item. What the function raises is raised at the item's turn.

    Raises:
        UserError: a worker was killed.

    Example:
        >>> list(in_order(abs, [-1, 2, -3], workers=0))
        [1, 2, 3]
    """
    if workers == 0:
        yield from map(function, items)
        return
    import multiprocessing
    from concurrent.futures import Future, ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    # A forked worker would inherit locks that JAX's threads hold.
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=end_with_parent)
    under_way: deque[Future[Result]] = deque()
    try:
        for item in items:
            under_way.append(pool.submit(function, item))
            if len(under_way) == WINDOW * workers:
                yield under_way.popleft().result()
        while under_way:
            yield under_way.popleft().result()
    except BrokenProcessPool as error:
        raise UserError(
            "a decoding process was killed, which the system does when memory runs out: "
            "use fewer workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def opened(path: Path) -> Iterator["av.container.InputContainer"]:
    """Open a file of sound or pictures, and say of what goes wrong meanwhile why.

    Args:
        path: a file in any format that FFmpeg reads.

    Yields:
        PyAV's container.

    Raises:
        ClipError: there is no such file; FFmpeg cannot open it, or an error of FFmpeg leaves the
            block.

    Example:
        >>> with opened(Path("no.mp4")):
        ...     pass
        Traceback (most recent call last):
        ...
        experiments.data.clips.ClipError: missing
    """
    import av

    if not path.exists():
        raise ClipError("missing")
    try:
        with _opened_whatever_its_metadata(path) as container:
            yield container
    except av.FFmpegError as error:
        raise ClipError("unreadable") from error


def _opened_whatever_its_metadata(path: Path) -> "av.container.InputContainer":
    """Open a file whose title and the like may be in any encoding."""
    import av

    try:
        return av.open(path)
    except UnicodeDecodeError:  # PyAV before 19 insists on UTF-8 unless it is told not to
        return av.open(path, metadata_errors="replace")


def frames(
    container: "av.container.InputContainer",
    kind: Literal["audio", "video"],
    start: float = 0.0,
    end: float = math.inf,
) -> Iterator[tuple[float, Any]]:
    """Decode the main audio or video stream of a file, or a stretch of it.

    Args:
        container: from `opened`.
        kind: "audio" or "video".
        start: where to begin, in seconds from the beginning of the stream.
        end: where to stop, in seconds.

    Yields:
        The time of each frame, in seconds from the beginning of the stream, and PyAV's frame, in
        the order of time. The first ones may lie before `start`: decoding begins where the
        encoding allows it.

    Raises:
        ClipError: there is no such stream.

    Example:
        ```
        with opened(Path("clip.mp4")) as container:
            for time, frame in frames(container, "video"):
                frame.to_image().save(f"{time:.2f}.png")
        ```
    """
    stream: Any = container.streams.best(kind)
    if stream is None:
        raise ClipError(f"without {kind}")
    stream.codec_context.thread_count = 1  # the workers share the cores already
    origin = stream.start_time or 0
    if start > 0:
        container.seek(origin + math.floor(start / stream.time_base), stream=stream)
    frame: Any
    for frame in container.decode(stream):
        if frame.pts is None:
            continue
        time = float((frame.pts - origin) * stream.time_base)
        if time >= end:
            return
        yield time, frame


def duration(path: Path) -> float:
    """Tell how long a file of sound or pictures lasts.

    Args:
        path: a file in any format that FFmpeg reads.

    Returns:
        Seconds; 0 if the file does not say.

    Raises:
        ClipError: as `opened`.

    Example:
        ```
        duration(Path("clip.mp4"))
        ```
    """
    import av

    with opened(path) as container:
        return (container.duration or 0) / av.time_base
