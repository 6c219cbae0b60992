"""Runs on disk: the verbs ``train`` and ``evaluate``."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from experiments.config import Config, default_run_dir
from experiments.errors import UserError

PREPARED = Path("data", "prepared")


def train(
    config: Config,
    data_dir: Path | None = None,
    prepared_dir: Path | None = PREPARED,
    run_dir: Path | None = None,
    resume: bool = False,
    mesh: str | None = None,
    distributed: bool = False,
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
    """
    from tqdm import tqdm

    from experiments import data, devices, methods, models, processes, program
    from experiments.checkpoints import Checkpoints
    from experiments.logs import RunLog
    from experiments.train import train as train_epochs

    methods.build(config)
    models.constructor(config.model)
    if distributed:
        processes.join()
    over_devices = devices.make_mesh(mesh)
    run_dir = run_dir or default_run_dir(config)
    arrays = data.load(config.dataset, data_dir or Path("data", config.dataset), prepared_dir)
    compiled = program.build(config, arrays, over_devices)
    with Checkpoints(run_dir) as checkpoints:
        state = compiled.initial_state(config.seed)
        if resume:
            state = checkpoints.restore(state, config)
        elif checkpoints.exist():
            raise UserError(f"{run_dir} holds a run: pass --resume to go on, or another --run-dir")
        done = int(state.step)
        epochs = config.optimisation.epochs
        total = epochs * compiled.steps_per_epoch
        talks = processes.is_first()
        with (
            RunLog(run_dir, done // compiled.steps_per_epoch) if talks else nullcontext() as log,
            tqdm(
                total=total, initial=done, unit="step", dynamic_ncols=True, disable=not talks
            ) as progress,
        ):

            def on_epoch(state: program.TrainState, record: dict[str, Any]) -> None:
                if log is not None:
                    log.write(record)
                    progress.write(_line(record))
                checkpoints.save(state, config)  # every process saves its part

            train_epochs(compiled, state, epochs, on_epoch, on_step=progress.update)


def evaluate(
    run_dir: Path,
    data_dir: Path | None = None,
    prepared_dir: Path | None = PREPARED,
    mesh: str | None = None,
    distributed: bool = False,
) -> None:
    """Accuracy and macro F1 of each trained head, from the last checkpoint of a run.

    Args:
      run_dir: Folder of the run.
      data_dir: As for train.
      prepared_dir: As for train.
      mesh: As for train; it need not be that of the run.
      distributed: As for train.
    """
    from experiments import data, devices, processes, program
    from experiments.checkpoints import Checkpoints
    from experiments.evaluate import accuracy_and_macro_f1

    if not (run_dir / "checkpoints").is_dir():
        raise UserError(f"no checkpoint in {run_dir}: train there first")
    if distributed:
        processes.join()
    over_devices = devices.make_mesh(mesh)
    with Checkpoints(run_dir) as checkpoints:
        config = checkpoints.config()
        arrays = data.load(config.dataset, data_dir or Path("data", config.dataset), prepared_dir)
        compiled = program.build(config, arrays, over_devices)
        state = checkpoints.restore(compiled.initial_state(config.seed), config)
    scores = accuracy_and_macro_f1(compiled, state.params)
    if not processes.is_first():
        return
    print(f"{'head':<10} accuracy  macro F1")
    for head, values in scores.items():
        print(f"{head:<10} {values['accuracy']:8.4f}  {values['macro_f1']:8.4f}")
    (run_dir / "evaluation.json").write_text(json.dumps(scores, indent=2) + "\n")


def _line(record: dict[str, Any]) -> str:
    accuracies = ", ".join(f"{head} {value:.3f}" for head, value in record["accuracy"].items())
    return f"epoch {record['epoch']}: loss {record['loss']['joint']:.4f}, accuracy {accuracies}"
