"""Detect Git LFS pointers, which stand for files that were not fetched with a repository."""

from pathlib import Path

from experiments.errors import UserError

POINTERS = (b"version https://git-lfs.github.com/spec/", b"version https://hawser.github.com/spec/")
"""The first bytes of a pointer, in current and in the first versions of Git LFS."""


def refuse_pointer(path: Path) -> None:
    r"""Raise an error if a file is a pointer of Git LFS.

    A file that cannot be read raises no error here, but later where it is read.

    Args:
      path: The file.

    Raises:
      UserError: If the file is a pointer.

    Examples:
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
