"""Pointers of Git LFS, which stand in for the files that were not fetched with a repository."""

from pathlib import Path

from experiments.errors import UserError

POINTERS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
"""How they begin, today and in the first versions of Git LFS."""


def refuse_pointer(path: Path) -> None:
    r"""Refuse a file that is a pointer of Git LFS; one that cannot be read is left to the reader.

    Args:
        path: the file that is about to be read.

    Raises:
        UserError: it is a pointer.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "features.pkl"
        >>> _ = file.write_bytes(b"version https://git-lfs.github.com/spec/v1\\noid sha256:...")
        >>> refuse_pointer(file)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        experiments.errors.UserError: .../features.pkl is a pointer of Git LFS, not the file...
    """
    try:
        with path.open("rb") as file:
            start = file.read(max(map(len, POINTERS)))
    except OSError:
        return
    if start.startswith(POINTERS):
        raise UserError(
            f"{path} is a pointer of Git LFS, not the file itself: fetch the files with "
            "`git lfs pull` in its repository"
        )
