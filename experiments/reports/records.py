"""Records on disk: a file of JSON lines for each setting, a line for each run or measurement."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.data.storage.exclusive import exclusive
from experiments.data.storage.files import write_whole
from experiments.errors import UserError

Record = dict[str, Any]


class RecordFile:
    """The records of one setting, in the order of their names.

    Each line is ``{"name": NAME, "record": {...}}``. The file is replaced as a whole whenever a
    record is added, so that a reader never meets half a line, and a killed command leaves the file
    as it was. Commands that add at the same time take turns; several objects may be of one file.

    Args:
      path: The file. It and its folder need not exist.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = RecordFile(Path(folder, "digits.jsonl"))
      ...     file.add("digits/uniform/0", {"epochs": []})
      ...     print(file.path.read_text(), end="")
      {"name":"digits/uniform/0","record":{"epochs":[]}}
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._records: dict[str, Record] = {}
        self._version: tuple[int, ...] | None = None

    def read(self) -> Mapping[str, Record]:
        """Return all records by name, none if there is no file.

        The file is parsed again only if it has changed since the last call.

        Raises:
          UserError: If a line is damaged, or two lines have the same name.
        """
        version = _version(self.path)
        if version != self._version:
            self._records = {} if version is None else _parsed(self.path)
            self._version = version
        return self._records

    def add(self, name: str, record: Record) -> None:
        """Write a record to the file, in place of one of the same name if there is one.

        Args:
          name: The name of the record.
          record: Values that JSON can hold.

        Raises:
          UserError: If the file is damaged, or its folder cannot be written.
        """
        with exclusive(self.path.parent):
            records = {**self.read(), name: record}
            write_whole(self.path, "".join(_line(each, records[each]) for each in sorted(records)))


def _version(path: Path) -> tuple[int, ...] | None:
    """Return the inode, time of change and size of a file, or None if there is no file.

    At least one of the three changes whenever the file is replaced.
    """
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _line(name: str, record: Record) -> str:
    return json.dumps({"name": name, "record": record}, separators=(",", ":")) + "\n"


def _parsed(path: Path) -> dict[str, Record]:
    records: dict[str, Record] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), 1):
        try:
            content = json.loads(line)
            name, record = str(content["name"]), dict(content["record"])
        except (ValueError, TypeError, KeyError) as error:
            raise UserError(
                f"{path}, line {number} is damaged: remove that line, and the command makes its "
                "record again"
            ) from error
        if name in records:
            raise UserError(
                f"{path}, line {number} is a second record of {name}: remove one of the two lines"
            )
        records[name] = record
    return records
