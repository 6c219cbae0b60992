"""The verb ``prepare``: writes a data set to disk ahead of training."""

import os
import time
from pathlib import Path

PREPARED = Path("data", "prepared")
"""Where prepared sets go unless the user says otherwise."""

WORKERS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""Worker processes unless the user says otherwise: the processors that this process may use."""


def prepare(
    dataset: str,
    data_dir: Path | None = None,
    prepared_dir: Path = PREPARED,
    workers: int = WORKERS,
) -> None:
    """Prepare a data set, so that runs can read it at once.

    A preparation that is killed leaves nothing that looks whole, and the next one starts anew.

    Args:
      dataset: Data set, as for train.
      data_dir: Folder of the files that the data set is made from. By default data/DATASET.
      prepared_dir: Folder in which prepared data sets are kept.
      workers: Processes that decode audio and video; there is at least one, since a decoder may
        crash.
    """
    from experiments import data
    from experiments.data.storage import prepared

    recipe = data.named(dataset).recipe
    before = prepared.is_prepared(recipe, prepared_dir)
    start = time.perf_counter()
    opened = prepared.prepare(recipe, prepared_dir, data_dir or Path("data", dataset), workers)
    seconds = time.perf_counter() - start
    sizes = {split: info.num_examples for split, info in opened.info.splits.items()}
    speed = f"{sum(sizes.values()) / seconds:.0f} samples per second"
    print(
        f"{dataset}: {sizes['train']} training and {sizes['test']} test samples, "
        f"{opened.info.dataset_size / 1e6:.1f} MB in {opened.data_path}; "
        f"{'it was there before' if before else speed}"
    )
    if before and (left_out := prepared.skipped(opened)):
        print(left_out)
