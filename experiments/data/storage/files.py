"""Write result files atomically: a reader never sees half of one."""

import errno
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile

from experiments.errors import of_system


def make_folder(folder: Path) -> None:
    """Make a folder for results, and check that files can be written in it.

    Commands call this before the work whose results the folder will hold.

    Args:
      folder: The folder, which may exist; its parents are made too.

    Raises:
      UserError: If a file is in its place, or nothing can be written in it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise of_system(error, f"cannot write in {folder}") from error


def write_whole(path: Path, content: str | bytes) -> None:
    r"""Write a file under a temporary name and rename it when it is complete.

    If this fails or is interrupted, an existing file does not change and the temporary one is
    removed. Processes that write a file at the same time take turns.

    Args:
      path: The file.
      content: The whole content. Text is written in UTF-8; what UTF-8 cannot express, such as a
        byte of a file name that is no text, is written as an escape like ``\udcff``.

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
      files: The content of each file. If two paths lead to one file, the last one counts.

    Raises:
      OSError: If one cannot be written, such as on a full disk; existing files do not change. The
        error names the file.
    """
    # One spelling and one order for all processes, which could wait for each other otherwise.
    spelled = {path.parent.resolve() / path.name: path for path in files}
    partials = {
        path: place.with_name(f"{place.name}.partial") for place, path in sorted(spelled.items())
    }
    with ExitStack() as held:
        for path, partial in partials.items():
            content = files[path]
            if isinstance(content, str):
                content = content.encode(errors="backslashreplace")
            with _named(path, partial):
                if path.is_dir():
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                descriptor = held.enter_context(_held(partial))
                with open(descriptor, "wb", closefd=False) as file:
                    file.truncate()
                    file.write(content)
        for path, partial in partials.items():
            with _named(path):
                os.replace(partial, path)


@contextmanager
def _named(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Put the name of a file into the ``OSError`` that the block raises.

    Args:
      path: The file.
      partial: Its temporary name. If something there is in the way, the error names that.
    """
    try:
        yield
    except OSError as error:
        in_the_way = partial and error.filename == str(partial) and os.path.lexists(partial)
        raise OSError(error.errno, error.strerror, str(partial if in_the_way else path)) from error


@contextmanager
def _held(partial: Path) -> Iterator[int]:
    """Open and lock a temporary file, and remove it if the block fails; yield its descriptor.

    A file that a killed process left is overwritten. A link is not, since it leads to a file of
    someone else, and a pipe is refused.
    """
    import fcntl  # POSIX only

    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        descriptor = os.open(partial, flags, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if not _is_there(partial, descriptor):  # its holder has renamed or removed it
                continue
            if os.fstat(descriptor).st_nlink > 1:
                partial.unlink()
                continue
            yield descriptor
            return
        except BaseException:
            with suppress(BlockingIOError):  # another process holds it
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_there(partial, descriptor):
                    partial.unlink()
            raise
        finally:
            os.close(descriptor)


def _is_there(path: Path, descriptor: int) -> bool:
    """Return whether a path still leads to the open file of a descriptor."""
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    except FileNotFoundError:
        return False
