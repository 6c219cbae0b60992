"""Runs on disk: the verbs ``train`` and ``evaluate``."""

import dataclasses
import json
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from experiments.config import Config, default_run_dir
from experiments.data.prepare import PREPARED, WORKERS
from experiments.data.storage.files import write_whole
from experiments.engine import interruption
from experiments.errors import BreakError, UserError, of_system


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
      data_dir: Folder of the files that the data set is made from; files that it lacks are
        downloaded there. By default data/DATASET.
      prepared_dir: Folder in which the data set is prepared once, and read from at later runs;
        None makes it in memory each time.
      run_dir: Folder for logs and checkpoints. By default runs/DATASET-METHOD-SEED.
      resume: Go on from the last checkpoint in the run folder, on these devices or on others.
      mesh: How to use the devices, as in data=4,model=2: samples are spread over "data", kernels
        over "model". By default all devices are "data".
      distributed: This is one of several processes, which JAX_COORDINATOR_ADDRESS,
        JAX_NUM_PROCESSES and JAX_PROCESS_ID or the cluster bring together. They share run_dir; the
        first one logs.
      workers: Processes that read and augment a data set that does not fit in memory; 0 does it in
        threads of this one.
    """
    run_dir = run_dir or default_run_dir(config)
    _require_run(run_dir, resume)
    interruption.advise(lambda: _the_way_on(run_dir))

    from tqdm import tqdm

    from experiments import data, methods, models
    from experiments.data.storage.exclusive import exclusive
    from experiments.engine import devices, processes, program
    from experiments.engine.checkpoints import Checkpoints
    from experiments.engine.logs import RunLog
    from experiments.engine.loop import train as train_epochs

    # A checkpoint has its own weights: the pretrained ones may be gone.
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
        with Checkpoints(run_dir) as checkpoints:
            state = compiled.initial_state(config.seed)
            if resume:
                state = checkpoints.restore(state, config)
            done = int(state.step)
            steps_per_epoch = compiled.feed.steps_per_epoch
            epochs = config.optimisation.epochs
            with (
                RunLog(run_dir, done // steps_per_epoch) if talks else nullcontext() as log,
                tqdm(
                    total=epochs * steps_per_epoch,
                    initial=done,
                    unit="step",
                    dynamic_ncols=True,
                    disable=not talks,
                ) as progress,
            ):

                def on_epoch(state: program.TrainState, record: dict[str, Any]) -> None:
                    if log is not None:
                        log.write(record)
                    checkpoints.save(state, config)  # every process saves its part
                    if talks:
                        progress.write(_line(record))

                train_epochs(compiled, state, epochs, on_epoch, lambda _: progress.update())


def evaluate(
    run_dir: Path,
    data_dir: Path | None = None,
    prepared_dir: Path | None = PREPARED,
    mesh: str | None = None,
    distributed: bool = False,
    workers: int = WORKERS,
    probe: bool = False,
) -> None:
    """Scores of each trained head on the test set, from the last checkpoint of a run.

    Args:
      run_dir: Folder of the run.
      data_dir: As for train.
      prepared_dir: As for train.
      mesh: As for train; it need not be that of the run.
      distributed: As for train.
      workers: As for train.
      probe: Score a linear classifier on each frozen encoder too, for methods that train no head
        for a modality.
    """
    from experiments import data
    from experiments.engine import devices, processes, program
    from experiments.engine.checkpoints import Checkpoints
    from experiments.engine.evaluate import scores
    from experiments.engine.probe import linear_probe

    if not _saved_steps(run_dir):
        raise UserError(f"no checkpoint in {run_dir}: train there first")
    if distributed:
        processes.join()
    over_devices = devices.make_mesh(mesh)
    with Checkpoints(run_dir, read_only=True) as checkpoints:
        config = checkpoints.config()
        folder = data_dir or Path("data", config.dataset)
        splits = data.load(config.dataset, folder, prepared_dir, workers)
        from_scratch = dataclasses.replace(config, weights=None)
        compiled = program.build(from_scratch, splits, over_devices, workers)
        state = checkpoints.restore(compiled.initial_state(config.seed), config)
    found = scores(compiled, state)
    if probe:
        probed = linear_probe(compiled, state)
        found |= {f"{name} (probe)": values for name, values in probed.items()}
    if not processes.is_first():
        return
    not_written = None
    try:
        write_whole(run_dir / "evaluation.json", json.dumps(found, indent=2) + "\n")
    except OSError as error:
        not_written = error
    for head, values in found.items():
        print(f"{head:<16}", *(f"{name} {value:.4f}  " for name, value in values.items()))
    if not_written is not None:
        raise not_written


def _saved_steps(run_dir: Path) -> list[int]:
    """Return the steps of the checkpoints of a run, without Orbax, which takes long to import."""
    return sorted(int(path.name) for path in run_dir.glob("checkpoints/*") if path.name.isdigit())


def _require_run(run_dir: Path, there: bool) -> None:
    """Refuses a folder that holds no run, or one that does."""
    steps = _saved_steps(run_dir)
    if there and not steps:
        raise UserError(f"no checkpoint in {run_dir}: train there, without --resume")
    if steps and not there:
        raise UserError(f"{run_dir} holds a run: pass --resume to go on, or another --run-dir")


def _the_way_on(run_dir: Path) -> str:
    """How to go on with a training that ends before its time."""
    command = ["python", "-m", "experiments", *sys.argv[1:]]
    steps = _saved_steps(run_dir)
    if not steps:
        return f"no epoch is saved yet, begin anew with: {shlex.join(command)}"
    if "--resume" not in command:
        command.append("--resume")
    return f"step {steps[-1]} is saved, go on with: {shlex.join(command)}"


@contextmanager
def _the_way_on_told(run_dir: Path) -> Iterator[None]:
    """Add to an error that is not of the run's making how to go on."""
    try:
        yield
    except OSError as error:
        raise BreakError(f"{of_system(error)}; {_the_way_on(run_dir)}") from error
    except BreakError as error:
        raise BreakError(f"{error}; {_the_way_on(run_dir)}") from error


def _line(record: dict[str, Any]) -> str:
    """Put the losses and the first score of each head into a line."""
    losses = ", ".join(f"{head} {value:.4f}" for head, value in record["loss"].items())
    firsts = {head: next(iter(scores.items())) for head, scores in record["scores"].items()}
    scores = ", ".join(f"{head} {name} {value:.4f}" for head, (name, value) in firsts.items())
    return f"epoch {record['epoch']}: loss {losses}; {scores}"
