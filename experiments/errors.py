"""Errors that the user can fix."""

import errno
import os
from pathlib import Path


class UserError(Exception):
    """A mistake in the user's input, such as a missing file or an unknown name.

    The message is one line that says what is wrong and what to do.

    Examples:
      >>> raise UserError("unknown data set 'x': choose cg-digits")
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: unknown data set 'x': choose cg-digits
    """


class NotApplicableError(UserError):
    """The error of a training method that does not work with the data set or the model."""


class BreakError(UserError):
    """The error of an external problem, such as a full disk; once it is mended, a run can go on."""


REMEDIES = {
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG): "make room, or name a folder on another disk",
    (errno.EACCES, errno.EPERM, errno.EROFS): "make it writable, or name another folder",
    (errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG): "name another folder",
    (errno.EMFILE, errno.ENFILE): "raise the limit on open files (ulimit -n)",
}


QUOTED = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EIO)
"""Errors of the system that libraries report only in the text of their own errors."""


def quoted(error: Exception) -> OSError | None:
    """Return the system's error that another error quotes, or None if it quotes none.

    Args:
      error: An error such as the RuntimeError of a library that could not write a file.

    Examples:
      >>> quoted(RuntimeError("write() failed: No space left on device; at byte 1024"))
      OSError(28, 'No space left on device')
    """
    for number in QUOTED:
        if os.strerror(number) in str(error):
            return OSError(number, os.strerror(number))
    return None


def require_folder(path: Path) -> None:
    """Check that a path leads to a folder, or to a place where one can be made.

    Args:
      path: The path of a folder that a user named.

    Raises:
      UserError: If the path or one of its parents is a file, or a link that leads nowhere.

    Examples:
      >>> require_folder(Path("/dev/null/runs"))
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: /dev/null is a file, not a folder: name another folder
    """
    for place in (*reversed(path.parents), path):
        if os.path.lexists(place) and not os.path.isdir(place):
            kind = "a file" if os.path.exists(place) else "a link that leads nowhere"
            raise UserError(f"{place} is {kind}, not a folder: name another folder")


def of_system(error: OSError, what: str = "") -> UserError:
    """Turn an error of the system into one that tells the user what to do.

    Args:
      error: The error of the system.
      what: The failed action; by default the file that the error names.

    Returns:
      A :class:`BreakError`, such as for a full disk; but another :class:`UserError` if a file is in
      the place of a folder, since then the same command fails again.

    Examples:
      >>> of_system(OSError(errno.ENOSPC, "No space left on device", "a.json"))
      BreakError('a.json: No space left on device: make room, or name a folder on another disk')
    """
    if isinstance(error, BrokenPipeError):
        return BreakError("nobody reads the output any more: files are complete")
    if isinstance(error.filename, str | os.PathLike):
        try:
            require_folder(Path(error.filename).parent)
            if error.errno == errno.EEXIST:
                require_folder(Path(error.filename))
        except UserError as misplaced:
            return misplaced
    what = what or str(error.filename or "cannot read or write")
    remedies = [words for numbers, words in REMEDIES.items() if error.errno in numbers]
    return BreakError(": ".join([what, error.strerror or str(error), *remedies]))
