"""The verb ``preparation``: measure how fast data sets are prepared, and their size on disk."""

import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import _report
from experiments.data import DATASETS
from experiments.data.miniatures import (
    cmu_mosi,
    crema_d,
    kinetics_sounds,
    modelnet40,
    nyuv2,
    uci_mfeat,
)
from experiments.data.storage import prepared
from experiments.data.storage.files import make_folder
from experiments.engine.devices import description
from experiments.errors import UserError
from experiments.markdown import grid

COMMAND = "python -m benchmarks preparation"

DECODED = ("crema-d", "kinetics-sounds")
"""Data sets whose clips worker processes decode; the others are prepared in one process."""

FROM_FILES = (
    *DECODED,
    *("modelnet40", "nyuv2", "cmu-mosi", "uci-mfeat", "cg-mnist", "multi-mnist"),
)


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Settings of this benchmark: the data sets, their sizes and the numbers of workers."""

    datasets: tuple[str, ...] = FROM_FILES
    """Data sets that are prepared from files."""
    workers: tuple[int, ...] = (0, 2)
    """Numbers of worker processes that decode clips; with 0, the main process decodes."""
    actors: int = 60
    """Number of actors of CREMA-D; each has one clip for each of the six emotions."""
    videos: int = 2
    """Number of clips of Kinetics-Sounds for each of the 31 classes and each split."""
    objects: int = 8
    """Number of objects of ModelNet40 for each of the 40 classes and each split."""
    scenes: int = 50
    """Number of scenes of NYUv2 for each split."""


@dataclasses.dataclass(frozen=True)
class Preparation:
    """The time that it took to prepare a data set once, and its size."""

    dataset: str
    """Name of the data set."""
    workers: int
    """Number of processes that decoded; 0 for the main process alone."""
    samples: int
    """Number of samples in all splits."""
    seconds: float
    """Wall time of the preparation, with the start of the processes."""
    size: int
    """Size of the prepared set on disk, in bytes."""


def main(
    protocol: Protocol,
    mnist_dir: Path | None = None,
    mfeat_dir: Path | None = None,
    output: Path = Path("runs", "bench-preparation"),
) -> None:
    """Measure how fast data sets are prepared from files of their real sizes.

    All files are generated, except those of MNIST, whose checksums are known.

    Args:
      protocol: The data sets, their sizes and the numbers of workers.
      mnist_dir: Folder of MNIST; by default, the sets that are made from it are left out.
      mfeat_dir: Folder of UCI Multiple Features; by default, its files are generated too.
      output: Folder for the table, as Markdown and JSON.
    """
    from tqdm import tqdm

    if unknown := sorted(set(protocol.datasets) - set(FROM_FILES)):
        raise UserError(
            f"{', '.join(unknown)} cannot be measured: choose from {', '.join(FROM_FILES)}"
        )
    make_folder(output)
    given = {"cg-mnist": mnist_dir, "multi-mnist": mnist_dir, "uci-mfeat": mfeat_dir}
    found = {
        dataset: measure(dataset, protocol, given.get(dataset))
        for dataset in tqdm(protocol.datasets, unit="set")
    }
    device = description()
    real = "MNIST and of UCI Multiple Features" if mfeat_dir else "MNIST"
    table = markdown(found) + (
        f"\n`{COMMAND}` on {device}: samples per second, the start of the worker processes "
        "included, from files as large as the real ones; bytes are those of the prepared set. "
        f"The files are made, but those of {real}; a dash is what was not measured.\n"
    )
    results = {
        "command": COMMAND,
        "protocol": dataclasses.asdict(protocol),
        "device": device,
        "preparations": [dataclasses.asdict(each) for runs in found.values() for each in runs],
    }
    _report.save(output, table, results)


def measure(dataset: str, protocol: Protocol, given: Path | None) -> list[Preparation]:
    """Prepare a data set with each number of workers.

    Args:
      dataset: Name of the data set.
      protocol: The sizes of the files to generate, and the numbers of workers.
      given: Folder of its files, or None to generate them.

    Returns:
      One preparation for each number of workers if there are clips to decode, otherwise one; an
      empty list if the files are not given and cannot be generated.
    """
    if given is None and dataset not in WRITERS:
        return []
    with tempfile.TemporaryDirectory() as room:
        files = given or Path(room, "files")
        if given is None:
            WRITERS[dataset](files, protocol)
        return [
            prepare(dataset, files, Path(room, f"prepared-{workers}"), workers)
            for workers in (protocol.workers if dataset in DECODED else (0,))
        ]


WRITERS: dict[str, Callable[[Path, Protocol], None]] = {
    "crema-d": lambda folder, protocol: crema_d.write(
        folder, actors=range(1000, 1000 + protocol.actors), **crema_d.AS_PUBLISHED
    ),
    "kinetics-sounds": lambda folder, protocol: kinetics_sounds.write(
        folder,
        splits=("train", "validate") * protocol.videos,
        **kinetics_sounds.AS_PUBLISHED,
    ),
    "modelnet40": lambda folder, protocol: modelnet40.write(
        folder,
        counts=dict.fromkeys(modelnet40.COUNTS, protocol.objects),
        **modelnet40.AS_PUBLISHED,
    ),
    "nyuv2": lambda folder, protocol: nyuv2.write(
        folder, counts=dict.fromkeys(nyuv2.COUNTS, protocol.scenes), **nyuv2.AS_PUBLISHED
    ),
    "cmu-mosi": lambda folder, _: cmu_mosi.write(folder, **cmu_mosi.AS_PUBLISHED),
    "uci-mfeat": lambda folder, _: uci_mfeat.write(folder),
}
"""Functions that generate the files of a data set in a folder, by data set."""


def prepare(dataset: str, files: Path, prepared_dir: Path, workers: int) -> Preparation:
    """Prepare a data set in a new folder, and measure the time and the size.

    Args:
      dataset: Name of the data set.
      files: Folder of the files from which it is prepared.
      prepared_dir: Folder for the prepared set.
      workers: Number of processes that decode; with 0, the main process decodes.
    """
    import tensorflow_datasets  # noqa: F401  (its import takes seconds, which must not count)

    start = time.perf_counter()
    opened = prepared.prepare(DATASETS[dataset].recipe, prepared_dir, files, workers)
    seconds = time.perf_counter() - start
    samples = sum(split.num_examples for split in opened.info.splits.values())
    size = sum(path.stat().st_size for path in Path(opened.data_path).iterdir())
    return Preparation(dataset, workers, samples, seconds, size)


def markdown(found: dict[str, list[Preparation]]) -> str:
    """Write a Markdown table with a row for each data set, a dash for what was not measured.

    Args:
      found: For each data set, its preparations with different numbers of workers, from
        :func:`measure`; may be empty.
    """
    workers = sorted({each.workers for runs in found.values() for each in runs})
    head = ["data set", "samples", *(f"{number} workers, samples/s" for number in workers)]
    rows = [[dataset, *_cells(runs, workers)] for dataset, runs in found.items()]
    return grid([*head, "bytes per sample"], rows)


def _cells(runs: list[Preparation], workers: list[int]) -> list[str]:
    if not runs:
        return ["–"] * (len(workers) + 2)
    rates = {each.workers: f"{each.samples / each.seconds:.0f}" for each in runs}
    samples, size = runs[0].samples, runs[0].size
    return [
        f"{samples:,}",
        *(rates.get(number, "–") for number in workers),
        f"{size / samples:,.0f}",
    ]
