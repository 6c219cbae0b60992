"""The records of runs and measurements on disk, and the training that makes the missing ones."""

import datetime
import importlib.metadata
import itertools
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.data.storage.exclusive import exclusive
from experiments.engine import interruption, logs, program
from experiments.engine.devices import description
from experiments.engine.loop import train
from experiments.engine.prepare import PREPARED, WORKERS
from experiments.engine.program import Program
from experiments.engine.run import finish
from experiments.engine.state import TrainState
from experiments.errors import NotApplicableError, UserError
from experiments.reports.paper.evidence import Item, Run, run_of
from experiments.reports.paper.measurements import MEASUREMENTS
from experiments.reports.paper.settings import Setting
from experiments.reports.paper.trace import Trace
from experiments.reports.records import Record, RecordFile

Records = Mapping[Item, Record]
"""The records on disk, by run or measurement.

A run's record has ``epochs``, the list of its epochs' records. A measurement's has ``measured``
and ``seconds``. Either has ``refused`` instead, with the reason, if the method does not apply to
the setting. All have ``config``, ``date``, ``device``, ``versions`` and the size of the data.
"""

LIBRARIES = ("jax", "flax", "optax")


@dataclass(frozen=True)
class Places:
    """The folders of data, prepared sets, results and runs, and the number of worker processes."""

    data_dir: Path = Path("data")
    """Folder of a folder of files for each data set."""
    prepared_dir: Path = PREPARED
    """Folder in which large data sets are prepared."""
    results_dir: Path = Path("results", "paper")
    """Folder of the results; what is there is not run again."""
    runs_dir: Path = Path("runs", "paper")
    """Folder of checkpoints and logs; a run that was killed goes on from here."""
    workers: int = WORKERS
    """Processes that read a data set that does not fit in memory."""


class Archive:
    """The results of one preset: a file ``results_dir/PRESET/SETTING.jsonl`` for each setting.

    Args:
      preset: "quick" or "paper".
      places: Where things are on disk.
    """

    def __init__(self, preset: str, places: Places) -> None:
        self.folder = places.results_dir / preset
        self._runs = places.runs_dir / preset
        self._places = places
        self._files: dict[str, RecordFile] = {}

    def records(self, items: Iterable[Item]) -> Records:
        """Return the records of those of the given items that are on disk."""
        found: dict[Item, Record] = {}
        for setting, of_setting in _by_setting(items).items():
            there = self._file(setting).read()
            found |= {item: there[item.name] for item in of_setting if item.name in there}
        return found

    def missing(self, items: Iterable[Item]) -> list[Item]:
        """Return those of the given items that are not on disk, each once, in the given order."""
        items = list(dict.fromkeys(items))
        there = self.records(items)
        return [item for item in items if item not in there]

    def finish(self, items: Iterable[Item]) -> dict[str, str]:
        """Run the training and the measurements of those items that are not on disk.

        Each record is written when it is ready; a run that was killed goes on at the next call.
        Runs of one program follow each other, so that it is compiled once. Several commands may run
        at the same time; they do no run twice.

        Args:
          items: The runs and measurements.

        Returns:
          By name of each setting that cannot be run here, a phrase that names the missing file or
          folder. Its items are left out.
        """
        from tqdm import tqdm

        interruption.advise(lambda: "what is finished is kept; the same command goes on from there")
        groups: dict[Any, dict[Run, list[Item]]] = {}
        for item in self.missing(items):
            run = run_of(item)
            groups.setdefault(run.program, {}).setdefault(run, []).append(item)
        lacking = {
            setting.name: reason
            for setting, *_ in groups
            if (reason := setting.lacks(self._places.data_dir))
        }
        possible = [runs for (setting, *_), runs in groups.items() if setting.name not in lacking]
        epochs = sum(run.epochs for runs in possible for run in runs)
        with tqdm(total=epochs, unit="epoch", disable=not possible) as progress:
            for setting, same in itertools.groupby(possible, lambda runs: next(iter(runs)).setting):
                self._finish_setting(setting, list(same), progress)
        return lacking

    def _finish_setting(
        self, setting: Setting, groups: list[dict[Run, list[Item]]], progress: Any
    ) -> None:
        places = self._places
        splits = setting.splits(places.data_dir, places.prepared_dir, places.workers)
        for runs in groups:
            first = next(iter(runs))
            try:
                compiled = program.build(first.config, splits, workers=places.workers)
                compiled.initial_state(first.seed)
            except NotApplicableError as error:
                for item in itertools.chain(*runs.values()):
                    self._write(item, {"refused": str(error)})
                continue
            for run, items in runs.items():
                progress.set_description(run.name)
                self._finish_run(run, items, compiled, progress.update)

    def _finish_run(
        self, run: Run, items: list[Item], compiled: Program, on_epoch: Callable[[], object]
    ) -> None:
        with exclusive(self._runs / run.name):  # another command may have been at it
            self._make(run, self.missing(items), compiled, on_epoch)

    def _make(
        self, run: Run, items: list[Item], compiled: Program, on_epoch: Callable[[], object]
    ) -> None:
        last = None
        if any(isinstance(item, Run) or item.epoch == run.epochs for item in items):
            last = self._trained(run, compiled, on_epoch)
        for item in items:
            if isinstance(item, Run):
                self._write(item, {"epochs": self._log(run)})
                continue
            state = last if item.epoch == run.epochs else _after(run, item.epoch, compiled)
            assert state is not None
            start = time.perf_counter()
            measured = MEASUREMENTS[item.kind](compiled, state, run.setting.encoders)
            self._write(item, {"seconds": time.perf_counter() - start, "measured": measured})

    def _trained(self, run: Run, compiled: Program, on_epoch: Callable[[], object]) -> TrainState:
        """Train a run to its end, from its last checkpoint if there is one; return its last state.

        Args:
          run: The run.
          compiled: The compiled program of the run.
          on_epoch: Called for each epoch, also for those that were done before, for a progress bar.
        """
        trace = Trace()

        def on_start(steps: int) -> None:
            for _ in range(steps // compiled.feed.steps_per_epoch):
                on_epoch()

        return finish(
            compiled,
            run.config,
            self._runs / run.name,
            on_start=on_start,
            on_epoch=lambda record: on_epoch(),
            on_step=trace.add,
            of_epoch=lambda: {"trace": trace.take()},
        )

    def _log(self, run: Run) -> list[Record]:
        """Return the records of all epochs of a run, from its log.

        Raises:
          UserError: If the log does not have each epoch once.
        """
        folder = self._runs / run.name
        epochs = logs.read(folder / "metrics.jsonl")
        if [record["epoch"] for record in epochs] != list(range(1, run.epochs + 1)):
            raise UserError(
                f"the log in {folder} does not have each of its {run.epochs} epochs once: remove "
                "that folder to run it again"
            )
        return epochs

    def _file(self, setting: str) -> RecordFile:
        return self._files.setdefault(setting, RecordFile(self.folder / f"{setting}.jsonl"))

    def _write(self, item: Item, content: Record) -> None:
        run = run_of(item)
        self._file(run.setting.name).add(item.name, {**content, **_provenance(run)})


def _by_setting(items: Iterable[Item]) -> dict[str, list[Item]]:
    """Return items by the name of their setting, so that its file is read once for all."""
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(run_of(item).setting.name, []).append(item)
    return groups


def _after(run: Run, epochs: int, compiled: Program) -> TrainState:
    """Train a run from its initial state for some epochs, without a log; return its state."""
    return train(compiled, compiled.initial_state(run.seed), epochs, lambda state, record: None)


def _provenance(run: Run) -> Record:
    setting = run.setting
    return {
        "config": run.config.to_json(),
        "training_samples": setting.training_samples,
        "test_samples": setting.test_samples,
        "correlation": setting.correlation,
        "device": description(),
        "date": datetime.date.today().isoformat(),
        "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }
