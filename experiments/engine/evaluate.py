"""Evaluate a model on the test set; the verb ``evaluate``."""

import dataclasses
import json
from pathlib import Path

import jax
import numpy as np

from experiments.data.storage.files import write_whole
from experiments.engine.prepare import PREPARED, WORKERS
from experiments.engine.program import RUN_AHEAD, Program
from experiments.engine.run import saved_steps
from experiments.engine.state import TrainState
from experiments.errors import UserError

Scores = dict[str, dict[str, float]]
"""Scores by head and then by name of the score, such as "accuracy" (0 to 1)."""


def evaluate(
    run_dir: Path,
    data_dir: Path | None = None,
    prepared_dir: Path | None = PREPARED,
    mesh: str | None = None,
    distributed: bool = False,
    workers: int = WORKERS,
    probe: bool = False,
) -> None:
    """Score each trained head on the test set, from the last checkpoint of a run.

    Prints the scores and writes them to evaluation.json in the folder of the run.

    Args:
      run_dir: Folder of the run.
      data_dir: Folder of the files that the data set is made from. By default data/DATASET.
      prepared_dir: Folder of prepared data sets; None makes the set in memory.
      mesh: Devices by axis, as in data=4,model=2; it may differ from the run. By default all data.
      distributed: This is one of several processes, as for train.
      workers: Processes that read a data set that does not fit in memory.
      probe: Also score a linear classifier on each frozen encoder, fitted to the training set; for
        methods that train no head for a modality.
    """
    from experiments import data
    from experiments.engine import devices, processes, program
    from experiments.engine.checkpoints import Checkpoints
    from experiments.engine.probe import linear_probe

    if not saved_steps(run_dir):
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
    for head, values in found.items():
        print(f"{head:<16}", *(f"{name} {value:.4f}  " for name, value in values.items()))
    write_whole(run_dir / "evaluation.json", json.dumps(found, indent=2) + "\n")


def scores(program: Program, state: TrainState) -> Scores:
    """Return the scores of each trained head on the test set.

    Args:
      program: The compiled program of the run.
      state: The state whose parameters and batch statistics are evaluated.

    Returns:
      For each trained head the scores of its task by name, such as ``accuracy`` and ``macro_f1``,
      both from 0 to 1.
    """
    batches = []
    for batch in program.feed.evaluation("test"):
        batches.append(program.sums(state, *batch))
        jax.block_until_ready(batches[-RUN_AHEAD:][0])
    totals = jax.tree.map(
        lambda *parts: np.sum(np.asarray(parts, _exact(parts[0])), axis=0), *jax.device_get(batches)
    )
    return {head: dict(task.scores(totals[head])) for head, task in program.tasks.items()}


def _exact(part: np.ndarray) -> type:
    """Return int64 for an integer array and float64 for others, the dtype of sums over a set.

    Such sums may be too large for 32 bits.
    """
    return np.int64 if np.issubdtype(part.dtype, np.integer) else np.float64
