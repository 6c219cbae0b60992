"""Make a run on disk, log it and resume it; the verb ``train``.

All runs are made by this module.
"""

import dataclasses
import shlex
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.config import Config, default_run_dir
from experiments.engine import interruption
from experiments.engine.prepare import PREPARED, WORKERS
from experiments.errors import BreakError, UserError, of_system, require_folder

if TYPE_CHECKING:
    from experiments.engine.loop import Metrics
    from experiments.engine.program import Program
    from experiments.engine.state import TrainState

Record = dict[str, Any]
"""The record of an epoch, as :func:`experiments.engine.loop.train` makes it."""


def train(
    config: Config,
    data_dir: Path | None = None,
    prepared_dir: Path | None = PREPARED,
    run_dir: Path | None = None,
    resume: bool = False,
    mesh: str | None = None,
    distributed: bool = False,
    workers: int = WORKERS,
) -> None:
    """Train a model, with logs and a checkpoint after every epoch.

    Args:
      config: What to train and how.
      data_dir: Folder of the files that the data set is made from; missing files of MNIST are
        downloaded into it. By default data/DATASET.
      prepared_dir: Folder in which the data set is prepared once, and from which later runs read
        it; None makes the set in memory each time.
      run_dir: Folder for logs and checkpoints. By default runs/DATASET-METHOD-SEED.
      resume: Continue from the last checkpoint in the run folder, on the same devices or on others.
      mesh: How to use the devices, as in data=4,model=2: samples are split over "data" and kernels
        over "model". By default all devices belong to "data".
      distributed: This is one of several processes, which JAX_COORDINATOR_ADDRESS,
        JAX_NUM_PROCESSES and JAX_PROCESS_ID or the cluster bring together. They share run_dir, and
        the first one writes the log.
      workers: Processes that read and augment a data set that does not fit in memory; with 0,
        threads of this process do so.
    """
    run_dir = run_dir or default_run_dir(config)
    _require_run(run_dir, resume)
    interruption.advise(lambda: _the_way_on(run_dir))

    from tqdm import tqdm

    from experiments import data, methods, models
    from experiments.data.storage.exclusive import exclusive
    from experiments.engine import devices, processes, program

    # The weights come from the checkpoint, so the pretrained ones may be missing.
    initial = dataclasses.replace(config, weights=None) if resume else config
    methods.build(config)
    models.named(initial)
    if distributed:
        processes.join()
    talks = processes.is_first()
    over_devices = devices.make_mesh(mesh)
    folder = data_dir or Path("data", config.dataset)
    with (
        _the_way_on_told(run_dir),
        exclusive(run_dir, wait=False) if talks else nullcontext(),
    ):
        _require_run(run_dir, resume)  # another training may just have ended
        splits = data.load(config.dataset, folder, prepared_dir, workers)
        compiled = program.build(initial, splits, over_devices, workers)
        steps = config.optimization.epochs * compiled.feed.steps_per_epoch
        with tqdm(total=steps, unit="step", dynamic_ncols=True, disable=not talks) as progress:

            def on_start(done: int) -> None:
                progress.initial = done  # so that the speed counts only the steps of this process
                progress.update(done)

            finish(
                compiled,
                config,
                run_dir,
                on_start=on_start,
                on_epoch=lambda record: progress.write(_line(record)) if talks else None,
                on_step=lambda metrics: progress.update(),
                logs=talks,
            )


def finish(
    program: "Program",
    config: Config,
    folder: Path,
    on_start: Callable[[int], object] = lambda steps: None,
    on_epoch: Callable[[Record], object] = lambda record: None,
    on_step: Callable[["Metrics"], object] = lambda metrics: None,
    of_epoch: Callable[[], Record] = dict,
    logs: bool = True,
) -> "TrainState":
    """Train the run in a folder to its last epoch, from its last checkpoint if it has one.

    After each epoch its record goes to the log and the state into a checkpoint. The caller holds
    the lock of the folder.

    Args:
      program: The compiled program of the run.
      config: The configuration of the run, which must agree with that of the checkpoint.
      folder: The folder of the run.
      on_start: Called once with the number of steps that are already done.
      on_epoch: Called after each epoch with its record, after the record is written.
      on_step: Called after each step with its metrics, which the devices may still be computing.
      of_epoch: Called after each epoch; returns entries that are added to its record.
      logs: Whether to write the log. Of several processes only one does, while each saves its part
        of the checkpoint.

    Returns:
      The state after the last epoch.

    Raises:
      UserError: If the checkpoint is damaged or has another configuration.
    """
    from experiments.engine.checkpoints import Checkpoints  # orbax takes a while to import
    from experiments.engine.logs import RunLog
    from experiments.engine.loop import train as train_epochs

    with Checkpoints(folder) as checkpoints:
        state = program.initial_state(config.seed)
        if checkpoints.exist():
            state = checkpoints.restore(state, config)
        done = int(state.step)
        on_start(done)
        epochs_done = done // program.feed.steps_per_epoch
        with RunLog(folder, epochs_done) if logs else nullcontext() as log:

            def save(state: "TrainState", record: Record) -> None:
                record = {**record, **of_epoch()}
                if log is not None:
                    log.write(record)
                checkpoints.save(state, config)
                on_epoch(record)

            return train_epochs(program, state, config.optimization.epochs, save, on_step)


def saved_steps(run_dir: Path) -> list[int]:
    """Return the steps of the checkpoints of a run, sorted; none if there is no such folder.

    This does not use Orbax, which takes long to import.

    Raises:
      UserError: If a file is in the place of the folder.
    """
    require_folder(run_dir)
    return sorted(int(path.name) for path in run_dir.glob("checkpoints/*") if path.name.isdigit())


def _require_run(run_dir: Path, there: bool) -> None:
    """Check that a folder holds a run with a checkpoint, or that it holds none.

    Args:
      run_dir: The folder.
      there: Whether it must hold a run.

    Raises:
      UserError: If it does not, or must not and does.
    """
    steps = saved_steps(run_dir)
    if there and not steps:
        raise UserError(f"no checkpoint in {run_dir}: train there, without --resume")
    if steps and not there:
        raise UserError(f"{run_dir} holds a run: pass --resume to go on, or another --run-dir")


def _the_way_on(run_dir: Path) -> str:
    """Return a text on how to continue a training that ended early, with the whole command."""
    command = ["python", "-m", "experiments", *sys.argv[1:]]
    steps = saved_steps(run_dir)
    if not steps:
        return f"no epoch is saved yet, begin anew with: {shlex.join(command)}"
    if "--resume" not in command:
        command.append("--resume")
    return f"step {steps[-1]} is saved, go on with: {shlex.join(command)}"


@contextmanager
def _the_way_on_told(run_dir: Path) -> Iterator[None]:
    """Add the text of :func:`_the_way_on` to errors that come from outside the run.

    Those are a :class:`BreakError` and an ``OSError`` that turns into one, such as a full disk.
    Another ``OSError`` becomes a :class:`UserError` without the text.

    Raises:
      UserError: If the block raises an ``OSError`` or a :class:`BreakError`.
    """
    try:
        yield
    except (OSError, BreakError) as error:
        problem = of_system(error) if isinstance(error, OSError) else error
        if not isinstance(problem, BreakError):
            raise problem from error
        raise BreakError(f"{problem}; {_the_way_on(run_dir)}") from error


def _line(record: dict[str, Any]) -> str:
    """Return a line with the number of an epoch, its losses and the first score of each head."""
    losses = ", ".join(f"{head} {value:.4f}" for head, value in record["loss"].items())
    firsts = {head: next(iter(scores.items())) for head, scores in record["scores"].items()}
    scores = ", ".join(f"{head} {name} {value:.4f}" for head, (name, value) in firsts.items())
    return f"epoch {record['epoch']}: loss {losses}; {scores}"
