"""The verb ``input``: measure whether training on CREMA-D waits for its batches."""

import dataclasses
import itertools
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import jax
import numpy as np

from benchmarks import _report, preparation
from experiments import data
from experiments.data import Splits
from experiments.data.miniatures import crema_d
from experiments.data.storage.files import make_folder
from experiments.engine import devices, feeds, program
from experiments.engine.devices import description
from experiments.engine.feeds import Batch
from experiments.engine.feeds.streamed import AHEAD
from experiments.engine.program import Program
from experiments.engine.timing import Ratio
from experiments.markdown import grid

COMMAND = "python -m benchmarks input"
DATASET = "crema-d"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Settings of this benchmark: the clips, the training step and the worker processes."""

    clips: int = 240
    """Number of clips to make, with CREMA-D's layout and sizes, if there is no archive: each actor
    has one for each of the six emotions."""
    model: str = "resnet18"
    """Backbone of the training step."""
    batch_size: int = 4
    """Samples per step; the default is for machines with two cores."""
    steps: int = 6
    """Number of steps in one measurement."""
    workers: tuple[int, ...] = (0, 1, 2)
    """Numbers of worker processes to compare; with 0, threads make the batches."""
    rounds: int = 3
    """Number of rounds; in each, the numbers of workers take turns."""


def main(
    protocol: Protocol, data_dir: Path | None = None, output: Path = Path("runs", "bench-input")
) -> None:
    """Measure the input pipeline of CREMA-D against the training step.

    Args:
      protocol: The clips, the training step and the numbers of workers to compare.
      data_dir: Folder of CREMA-D's archive; by default, clips of its sizes are made.
      output: Folder for the table, as Markdown and JSON.
    """
    make_folder(output)
    with tempfile.TemporaryDirectory() as room:
        if data_dir is None:
            data_dir = Path(room, "archive")
            actors = range(1000, 1000 + protocol.clips // len(crema_d.EMOTIONS))
            crema_d.write(data_dir, actors=actors, **crema_d.AS_PUBLISHED)
        decoding = {}
        for workers in protocol.workers:
            prepared_dir = Path(room, f"prepared-{workers}")
            run = preparation.prepare(DATASET, data_dir, prepared_dir, workers)
            decoding[workers] = run.samples / run.seconds
        splits = data.load(DATASET, prepared_dir=Path(room, f"prepared-{protocol.workers[0]}"))
        rates = measure(splits, protocol)
    device = description()
    table = _table(decoding, rates, protocol, device)
    results = {
        "command": COMMAND,
        "protocol": dataclasses.asdict(protocol),
        "device": device,
        "clips per second of preparation": decoding,
        "by round": rates,
    }
    _report.save(output, table, results)


def measure(splits: Splits, protocol: Protocol) -> dict[str, list[float]]:
    """Measure samples per second and shares of time, one number per round.

    Args:
      splits: The opened data set.
      protocol: The model, the batch size, the numbers of workers, and how often to measure.

    Returns:
      Samples per second of "step" (steps on a batch in memory) and, for each number W of workers,
      of "pipeline W" (batches without training) and "training W" (steps on the batches of the
      pipeline); and "waiting W", the share of the training time spent waiting for a batch, from 0
      to 1.
    """
    preset = data.named(DATASET).preset
    optimization = dataclasses.replace(preset.optimization, batch_size=protocol.batch_size)
    config = dataclasses.replace(preset, model=protocol.model, optimization=optimization)
    compiled = program.build(config, splits)
    mesh = devices.make_mesh()
    pipelines = {
        workers: feeds.build(splits, protocol.batch_size, mesh, workers)
        for workers in protocol.workers
    }
    key = jax.random.PRNGKey(0)
    with closing(compiled.feed.training(key, range(1))) as batches:
        there = itertools.repeat(next(batches))
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(protocol.rounds):
        rates["step"].append(trained(compiled, there, protocol)[0])
        for workers, feed in pipelines.items():
            ahead = AHEAD * (1 + workers) + 2
            with closing(feed.training(key, range(ahead + protocol.steps))) as batches:
                rates[f"pipeline {workers}"].append(drained(batches, ahead, protocol))
            with closing(feed.training(key, range(1 + protocol.steps))) as batches:
                rate, waiting = trained(compiled, batches, protocol)
            rates[f"training {workers}"].append(rate)
            rates[f"waiting {workers}"].append(waiting)
    return dict(rates)


def drained(batches: Iterator[Batch], ahead: int, protocol: Protocol) -> float:
    """Measure a pipeline's samples per second after the batches made ahead are used up.

    Args:
      batches: The batches of the pipeline, at least ``ahead + protocol.steps``.
      ahead: The number of first batches that do not count, since they may be there already.
      protocol: The number of steps (batches) to time, and the samples of each.
    """
    for batch in itertools.islice(batches, ahead):
        jax.block_until_ready(batch)
    start = time.perf_counter()
    for batch in itertools.islice(batches, protocol.steps):
        jax.block_until_ready(batch)
    return protocol.steps * protocol.batch_size / (time.perf_counter() - start)


def trained(compiled: Program, batches: Iterator[Batch], protocol: Protocol) -> tuple[float, float]:
    """Measure the samples per second of training, and the share of time it waited.

    Args:
      compiled: The program whose steps are timed, from a fresh state; a first step does not count.
      batches: The batches, at least ``1 + protocol.steps``.
      protocol: The number of steps to time, and the samples of each.

    Returns:
      The samples per second, and the share of the time spent waiting for a batch, from 0 to 1.
    """
    state = compiled.initial_state(0)
    state, metrics = compiled.step(state, next(batches))
    jax.block_until_ready(metrics)
    waiting = 0.0
    start = time.perf_counter()
    for _ in range(protocol.steps):
        asked = time.perf_counter()
        batch = next(batches)
        waiting += time.perf_counter() - asked
        state, metrics = compiled.step(state, batch)
        jax.block_until_ready(metrics)
    seconds = time.perf_counter() - start
    return protocol.steps * protocol.batch_size / seconds, waiting / seconds


def _table(
    decoding: dict[int, float], rates: dict[str, list[float]], protocol: Protocol, device: str
) -> str:
    step = np.array(rates["step"])
    rows = []
    for workers, clips in decoding.items():
        pipeline, training = (
            np.array(rates[f"{name} {workers}"]) for name in ("pipeline", "training")
        )
        waiting = 100 * np.array(rates[f"waiting {workers}"])
        rows.append(
            [
                str(workers),
                f"{clips:.0f}",
                f"{np.median(pipeline):.0f} ({pipeline.min():.0f} to {pipeline.max():.0f})",
                str(Ratio.over_rounds(pipeline, step)),
                str(Ratio.over_rounds(training, step)),
                f"{np.median(waiting):.1f} % ({waiting.min():.1f} to {waiting.max():.1f})",
            ]
        )
    head = [
        "workers",
        "preparation, clips/s",
        "pipeline, samples/s",
        "pipeline over step",
        "training over step",
        "share of training that waits",
    ]
    return grid(head, rows) + (
        f"\n`{COMMAND}` on {device}, {protocol.rounds} rounds: median (minimum to maximum); a "
        f"sample is one spectrogram and two images. The step is that of {protocol.model} with "
        f"MMPareto on {protocol.batch_size} samples that are there, "
        f"{np.median(step):.1f} samples/s.\n"
    )
