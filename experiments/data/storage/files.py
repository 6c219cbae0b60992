"""Result files, which are written whole or not at all."""

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file beside its place and rename it there when it is whole.

    If that fails, or is interrupted, the file that was there before stays as it was, and nothing is
    left beside it.

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
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(partial, path)
    except BaseException as error:
        with suppress(OSError):
            partial.unlink()
        if isinstance(error, OSError):
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
