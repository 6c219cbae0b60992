"""A lock that lets one process at a time work in a folder."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from os.path import samestat
from pathlib import Path
from typing import IO

from experiments.errors import UserError, of_system


@contextmanager
def exclusive(folder: Path, wait: bool = True) -> Iterator[None]:
    """Lock a folder, which is created if it does not exist, against other processes that lock it.

    A second process waits until the first is done. The system releases the lock of a process that
    is killed, so any half-written file that the holder of the lock finds was left by a dead
    process.

    Args:
      folder: The folder. An empty file ``.lock`` stays in it, unless it is the only file.
      wait: Whether to wait for a process that holds the lock. True by default.

    Yields:
      Nothing.

    Raises:
      UserError: If the folder cannot be created or written; or if another process holds the lock
        and ``wait`` is False.

    Examples:
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
    import fcntl  # POSIX only; data sets in memory do not need it

    folder = path.parent
    how = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB
    try:
        while True:
            folder.mkdir(parents=True, exist_ok=True)
            with ExitStack() as opened:
                lock = opened.enter_context(open(path, "w"))
                fcntl.flock(lock, how)
                # The last holder may have removed the file, and another may have made a new one.
                if path.exists() and samestat(os.fstat(lock.fileno()), path.stat()):
                    opened.pop_all()
                    return lock
    except BlockingIOError as error:
        raise UserError(
            f"another process works in {folder}: wait until it ends or name another folder"
        ) from error
    except OSError as error:
        raise of_system(error, f"cannot write in {folder}") from error


def _remove_if_empty(path: Path, made: list[Path]) -> None:
    """Remove a lock file and the folders that were made for it.

    Nothing is removed if no folder was made, or if the lock's folder has another file.

    Args:
      path: The lock file.
      made: The folders that were made, the innermost first.
    """
    with suppress(OSError):
        if made and list(path.parent.iterdir()) == [path]:
            path.unlink()
            for folder in made:
                folder.rmdir()
