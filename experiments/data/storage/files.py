"""Result files, which are written whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and rename it there when it is whole.

    If that fails, or is interrupted, the file that was there before stays as it was, and nothing is
    left beside it. Processes that write a file at the same time take turns.

    Args:
      path: The file.
      content: All of it; text is written in UTF-8.

    Raises:
      OSError: If it cannot be written. The error names the file.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write_whole(Path(folder, "table.md"), "| a | b |")
      ...     os.listdir(folder)
      ['table.md']
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with _held(partial) as file:
            try:
                file.truncate()
                file.write(content.encode() if isinstance(content, str) else content)
                file.flush()
                os.replace(partial, path)
            except BaseException:
                with suppress(OSError):
                    partial.unlink()
                raise
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _held(partial: Path) -> Iterator[IO[bytes]]:
    """Open a file that no other process holds; what a killed one left there is taken over."""
    import fcntl  # POSIX only

    while True:
        # A link would lead to a file that is another's.
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        with open(descriptor, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_there(partial, descriptor):  # its holder has not renamed or removed it
                yield file
                return


def _is_there(path: Path, descriptor: int) -> bool:
    """Whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
