"""The log of a run: JSON lines and TensorBoard."""

import json
from pathlib import Path
from typing import Any

from experiments.data.storage.files import write_whole
from experiments.errors import UserError


class RunLog:
    """Write the record of each epoch to ``metrics.jsonl`` and to TensorBoard events.

    When a run is resumed, records after its last checkpoint are dropped, so each epoch is listed
    once.

    Args:
      run_dir: The folder of the run.
      epochs: The number of epochs that are already done.
    """

    def __init__(self, run_dir: Path, epochs: int) -> None:
        from tensorboardX import SummaryWriter  # takes a second to import

        run_dir.mkdir(parents=True, exist_ok=True)
        path = run_dir / "metrics.jsonl"
        records = read(path)[:epochs] if path.exists() else []
        write_whole(path, "".join(json.dumps(record) + "\n" for record in records))
        self._lines = path.open("a")
        step = records[-1]["step"] if records else 0
        self._events = SummaryWriter(str(run_dir / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, *error: object) -> None:
        self._lines.close()
        self._events.close()

    def write(self, record: dict[str, Any]) -> None:
        """Append the record of an epoch to both logs.

        Args:
          record: A record of :func:`experiments.engine.loop.train`.
        """
        self._lines.write(json.dumps(record) + "\n")
        self._lines.flush()
        for name, value in _flatten(record):
            self._events.add_scalar(name, value, record["step"])
        self._events.flush()


def read(path: Path) -> list[dict[str, Any]]:
    """Return the records of a ``metrics.jsonl``, without a last line that a kill cut short.

    Args:
      path: The file.

    Raises:
      UserError: If another line is damaged.
    """
    records = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), 1):
        if line.endswith(b"\n"):
            try:
                records.append(json.loads(line))
                if "step" not in records[-1]:
                    raise ValueError
            except (ValueError, TypeError) as error:
                raise UserError(f"{path}, line {number} is damaged: remove that line") from error
    return records


def _flatten(values: dict[str, Any], prefix: str = "") -> list[tuple[str, float]]:
    """Return the numbers of a nested dict, each with its path such as "loss/joint".

    Lists, which TensorBoard cannot show, are left out.
    """
    flat: list[tuple[str, float]] = []
    for name, value in values.items():
        if isinstance(value, dict):
            flat += _flatten(value, f"{prefix}{name}/")
        elif not isinstance(value, list):
            flat.append((prefix + name, value))
    return flat
