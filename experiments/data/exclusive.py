"""One process at a time in a folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import UserError


@contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Hold a folder, which is created if need be, against other processes that ask for it.

    A second process waits until the first is done. The system releases the hold of a process
    that is killed, so whatever half-written file the holder finds was left by a dead process.

    Args:
        folder: the folder; a file `.lock` of zero bytes stays in it.

    Yields:
        Nothing.

    Raises:
        UserError: the folder cannot be created or written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as room, exclusive(Path(room) / "data"):
        ...     (Path(room) / "data" / ".lock").exists()
        True
    """
    import fcntl  # POSIX only; data sets made in memory do without

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = open(folder / ".lock", "w")  # noqa: SIM115
    except OSError as error:
        raise UserError(
            f"cannot write in {folder} ({error.strerror}): make it writable or name another folder"
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
