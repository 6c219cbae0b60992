"""Write a data set to disk ahead of training; the verb ``prepare``."""

import os
import time
from pathlib import Path

PREPARED = Path("data", "prepared")
"""The default folder of prepared sets."""

WORKERS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
"""The default number of worker processes: the number of cores that this process may use."""


def prepare(
    dataset: str,
    data_dir: Path | None = None,
    prepared_dir: Path = PREPARED,
    workers: int = WORKERS,
) -> None:
    """Prepare a data set, so that runs can read it at once.

    A preparation that is killed leaves nothing that looks complete, and the next one starts anew.

    Args:
      dataset: Name of the data set, such as crema-d.
      data_dir: Folder of the files that the data set is made from. By default data/DATASET.
      prepared_dir: Folder in which prepared data sets are kept.
      workers: Processes that decode audio and video; at least one is used, since a decoder may
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
