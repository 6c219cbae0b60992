"""The verb ``bench input``: whether training waits for data."""

import dataclasses
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments import data, devices, feeds, presets, program
from experiments.bench import report
from experiments.bench.archive import write_archive
from experiments.bench.ratio import Ratio
from experiments.data import DATASETS, Splits, prepared
from experiments.device import description
from experiments.program import Program

COMMAND = "python -m experiments bench input"
DATASET = "crema-d"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What is measured."""

    clips: int = 240
    """Clips that are written in CREMA-D's layout and at its sizes, where there is no archive."""
    model: str = "resnet18"
    """Backbone of the step that is fed."""
    batch_size: int = 16
    """Samples per step; the default is a quarter of the preset's, for machines of two cores."""
    steps: int = 6
    """Steps of one measurement."""
    workers: tuple[int, ...] = (0, 1, 2)
    """Numbers of worker processes that are compared; 0 makes batches in threads."""
    rounds: int = 3
    """Repeats; in each, the numbers of workers take turns."""


def main(
    protocol: Protocol, data_dir: Path | None = None, output: Path = Path("runs", "bench-input")
) -> None:
    """Measure the input pipeline of CREMA-D against the training step.

    Args:
      protocol: What is measured.
      data_dir: Folder of CREMA-D's archive; by default clips of its sizes are made.
      output: Folder for the table, as Markdown and JSON.
    """
    with tempfile.TemporaryDirectory() as room:
        if data_dir is None:
            data_dir = Path(room, "archive")
            write_archive(data_dir, protocol.clips)
        decoding = {
            workers: _clips_per_second(data_dir, Path(room, f"prepared-{workers}"), workers)
            for workers in protocol.workers
        }
        splits = data.load(DATASET, prepared_dir=Path(room, f"prepared-{protocol.workers[0]}"))
        rates = measure(splits, protocol)
    device = description()
    table = _table(decoding, rates, protocol, device)
    results = {
        "command": COMMAND,
        "protocol": dataclasses.asdict(protocol),
        "device": device,
        "clips per second of preparation": decoding,
        "samples per second": {name: values.tolist() for name, values in rates.items()},
    }
    report.save(output, table, results)


def _clips_per_second(data_dir: Path, prepared_dir: Path, workers: int) -> float:
    start = time.perf_counter()
    opened = prepared.prepare(DATASETS[DATASET].builder, prepared_dir, data_dir, workers)
    seconds = time.perf_counter() - start
    return sum(split.num_examples for split in opened.info.splits.values()) / seconds


def measure(splits: Splits, protocol: Protocol) -> dict[str, np.ndarray]:
    """Samples per second, one number a round.

    Args:
      splits: The data set, opened.
      protocol: What is measured.

    Returns:
      Of "step" (on a batch that is there), and for each number W of workers of "pipeline W"
      (batches that nothing is done with) and "training W" (steps on the batches of the pipeline).
    """
    preset = presets.PRESETS[DATASET]
    optimisation = dataclasses.replace(preset.optimisation, batch_size=protocol.batch_size)
    config = dataclasses.replace(preset, model=protocol.model, optimisation=optimisation)
    compiled = program.build(config, splits)
    mesh = devices.make_mesh()
    key = jax.random.PRNGKey(0)
    runs: dict[str, Iterator[float]] = {"step": _steps(compiled, _same(compiled, key), protocol)}
    pipelines = {}
    for workers in protocol.workers:
        feed = feeds.build(splits, protocol.batch_size, mesh, workers)
        pipelines[f"pipeline {workers}"] = feed
    rates: dict[str, list[float]] = {}
    for _ in range(protocol.rounds):
        for name, run in runs.items():
            rates.setdefault(name, []).append(next(run))
        for name, feed in pipelines.items():
            with closing(feed.training(key, 0)) as batches:  # type: ignore[type-var]
                rates.setdefault(name, []).append(_drained(batches, protocol))
            with closing(feed.training(key, 0)) as batches:  # type: ignore[type-var]
                trained = next(_steps(compiled, batches, protocol))
            rates.setdefault(name.replace("pipeline", "training"), []).append(trained)
    return {name: np.array(values) for name, values in rates.items()}
