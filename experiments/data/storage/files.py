"""Atomic writing of result files."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file under a temporary name and rename it when it is complete.

    If this fails or is interrupted, an existing file does not change and the temporary one is
    removed. Processes that write a file at the same time take turns.

    Args:
      path: The file.
      content: The whole content; text is written in UTF-8.

    Raises:
      OSError: If the file cannot be written. The error names the file.

    Examples:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write_whole(Path(folder, "table.md"), "| a | b |")
      ...     os.listdir(folder)
      ['table.md']
    """
    write_together({path: content})


def write_together(files: Mapping[Path, str | bytes]) -> None:
    """Write files as :func:`write_whole` does, and rename none before all of them are complete.

    Args:
      files: The content of each file.

    Raises:
      OSError: If one cannot be written, such as on a full disk; existing files do not change. The
        error names the file.
    """
    partials = {path: path.with_name(f"{path.name}.partial") for path in sorted(files)}
    with ExitStack() as held:
        for path, partial in partials.items():
            content = files[path]
            with _named(path):
                descriptor = held.enter_context(_held(partial))
                with open(descriptor, "wb", closefd=False) as file:
                    file.truncate()
                    file.write(content.encode() if isinstance(content, str) else content)
        for path, partial in partials.items():
            with _named(path):
                os.replace(partial, path)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Put the name of the file into errors of the system."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextmanager
def _held(partial: Path) -> Iterator[int]:
    """Open and lock a temporary file, and remove it if the block fails; yield its descriptor.

    A file that a killed process left is overwritten.
    """
    import fcntl  # POSIX only

    while True:
        # O_NOFOLLOW, since a link could lead to a file of someone else.
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_there(partial, descriptor):  # its holder has renamed or removed it
                continue
            try:
                yield descriptor
            except BaseException:
                if _is_there(partial, descriptor):
                    partial.unlink()
                raise
            return
        finally:
            os.close(descriptor)


def _is_there(path: Path, descriptor: int) -> bool:
    """Return whether a path still leads to an open file."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
