"""Handle Ctrl-C and SIGTERM.

A command ends within seconds, and one line says how to continue.
"""

import atexit
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

GRACE = 5
"""Seconds that a command has to clean up.

This limit also holds during a compilation, which cannot be interrupted.
"""

TWICE = 1
"""Seconds after the first signal during which a second one is ignored.

Some programs send each signal twice. A later second signal ends the process at once.
"""

SIGNALS = (signal.SIGINT, signal.SIGTERM)

_advice: Callable[[], str] = str


def advise(advice: Callable[[], str]) -> None:
    """Set the advice that an interrupted command prints.

    Args:
      advice: Called after a signal; returns the part of the line after "interrupted: ".
    """
    global _advice
    _advice = advice


@contextmanager
def told() -> Iterator[None]:
    """Turn a signal into one line and the status that shells expect: 130 for Ctrl-C, else 143.

    The signal raises a KeyboardInterrupt in the block, so that what the block opened is closed. If
    this takes longer than ``GRACE``, or at a second signal, the process ends at once. Files on disk
    are complete even then, because they are renamed to their final name only when they are
    complete. A signal that arrives during an import, or that a destructor swallows, is sent again.

    Raises:
      SystemExit: After a signal.
    """
    advise(lambda: "the same command begins anew")
    came: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        if came:
            return
        if _is_importing(frame):
            _send_again(number)
            return
        came.append(number)
        raise KeyboardInterrupt

    def swallowed(lost: "sys.UnraisableHookArgs") -> None:
        # A destructor or a callback of the garbage collector has swallowed the interrupt.
        if came and issubclass(lost.exc_type, KeyboardInterrupt):
            _send_again(came.pop())
        else:
            unraisable(lost)

    handlers = {number: signal.signal(number, interrupt) for number in SIGNALS}
    unraisable, sys.unraisablehook = sys.unraisablehook, swallowed
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    # The system writes to the pipe even while the main thread is busy with a compilation.
    before = signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    watch = threading.Thread(target=_end_in_time, args=[reading], daemon=True)
    watch.start()
    try:
        yield
    except BaseException:
        if not came:
            raise
        _say(came[0])  # the signal caused the error, whatever its type
        raise SystemExit(128 + came[0]) from None
    finally:
        signal.set_wakeup_fd(before)
        sys.unraisablehook = unraisable
        for number, handler in handlers.items():
            signal.signal(number, handler)
        os.write(writing, bytes([_OVER]))
        watch.join()
        os.close(reading)
        os.close(writing)


def _is_importing(frame: FrameType | None) -> bool:
    """Return whether a module is being imported.

    Compiled modules end the process if their import is interrupted.
    """
    while frame:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _send_again(number: int) -> None:
    """Send this process a signal again, after a short delay."""
    threading.Timer(0.02, os.kill, [os.getpid(), number]).start()


def leave(status: object) -> None:
    """End this process within ``GRACE`` seconds if its exit status is an error.

    Args:
      status: The exit status. For 0, None or a text the function returns, and Python exits as
        usual.
    """
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    if isinstance(status, int) and status:
        # Python would wait until the devices have finished their computations.
        threading.Thread(target=_give_up, args=[status], daemon=True).start()
        atexit._run_exitfuncs()
        with suppress(OSError):
            sys.stdout.flush()
        os._exit(status)


def _give_up(status: int) -> None:
    time.sleep(GRACE)
    os._exit(status)


_OVER = 0
"""The byte that tells the watching thread to end."""


def _end_in_time(reading: int) -> None:
    """Watch for signals, and end the process if a signal does not end the block in time.

    Args:
      reading: The descriptor of the pipe to which the system writes the number of each signal, and
        the block at its end the byte ``_OVER``.
    """
    first, number = 0.0, 0
    while not number or time.monotonic() < first + GRACE:
        left = max(0, first + GRACE - time.monotonic()) if number else None
        if not select.select([reading], [], [], left)[0]:
            break
        (byte,) = os.read(reading, 1)
        if byte == _OVER:
            return
        if byte not in SIGNALS:
            continue
        if not number:
            first, number = time.monotonic(), byte
        elif time.monotonic() > first + TWICE:
            break
    with suppress(OSError):
        os.write(2, b"\n")  # the line may hold a progress bar
    _say(number)
    os._exit(128 + number)


def _say(number: int) -> None:
    try:
        advice = _advice()
    except Exception:  # a signal can come at a time when the advice fails
        advice = "start it again"
    with suppress(OSError):
        word = "interrupted" if number == signal.SIGINT else "terminated"
        print(f"{word}: {advice}", file=sys.stderr, flush=True)
