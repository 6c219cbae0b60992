"""One process at a time in a folder."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from os.path import samestat
from pathlib import Path
from typing import IO

from experiments.errors import UserError, of_system


@contextmanager
def exclusive(folder: Path, wait: bool = True) -> Iterator[None]:
    """Hold a folder, which is created if need be, against other processes that ask for it.

    A second process waits until the first is done. The system releases the hold of a process
    that is killed, so whatever half-written file the holder finds was left by a dead process.

    Args:
        folder: the folder; a file `.lock` of zero bytes stays in it, unless it is all there is.
        wait: whether to wait for a process that holds it.

    Yields:
        Nothing.

    Raises:
        UserError: the folder cannot be created or written; or another process holds it, and this
            one is not to wait.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as room, exclusive(Path(room) / "data"):
        ...     (Path(room) / "data" / ".lock").exists()
        True
    """
    path = folder / ".lock"
    made = [each for each in (folder, *folder.parents) if not each.exists()]
    with _held(path, wait):
        try:
            yield
        finally:
            _remove_if_empty(path, made)


def _held(path: Path, wait: bool) -> IO[str]:
    import fcntl  # POSIX only; data sets made in memory do without

    folder = path.parent
    how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
    try:
        while True:
            folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as opened:
                lock = opened.enter_context(open(path, "w"))
                fcntl.flock(lock, how)
                # The last to hold it may have removed the file, or there is another one since.
                if path.exists() and samestat(os.fstat(lock.fileno()), path.stat()):
                    opened.pop_all()
                    return lock
    except BlockingIOError as error:
        raise UserError(
            f"another process works in {folder}: wait for its end or name another folder"
        ) from error
    except OSError as error:
        raise of_system(error, f"cannot write in {folder}") from error


def _remove_if_empty(path: Path, made: list[Path]) -> None:
    """Remove the file and the folders that were made for it, where nothing else is in them."""
    with suppress(OSError):
        if made and list(path.parent.iterdir()) == [path]:
            path.unlink()
            for folder in made:
                folder.rmdir()
