"""The verb ``peers``: time our training step and those of the torch libraries in one run.

All train ResNet-18 on sound and on video with late fusion, in float32 on the CPU, by SGD with
momentum on the same batch. All programs take turns in every round, with the number of threads that
they choose themselves. The time of a step is divided by that of the plain step of its own framework
in the same round. The integration alone, which combines the gradients of both objectives (Gramian,
weights, combination), starts from these gradients in the form of each framework: stacked for ours,
one dict of tensors per objective for the released rule.
"""

import dataclasses
import functools
import importlib.metadata
import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mmpareto_jax as mmp
from benchmarks import _report
from benchmarks._problems import audio_video, training
from benchmarks._problems.audio_video import ENCODERS
from benchmarks.strategies import training_program
from experiments.data.storage.files import make_folder
from experiments.engine.devices import description
from experiments.engine.timing import Ratio, times_in_turns
from experiments.errors import UserError
from experiments.markdown import grid

COMMAND = "python -m benchmarks peers"
OURS = {"ours, MMPareto, stacked": "stacked", "ours, MMPareto, features": "features"}


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Settings of this benchmark: the size of the batch, and how often to measure."""

    batch_size: int = 8
    """Number of samples, each a spectrogram and two frames."""
    image_size: int = 112
    """Height and width of spectrograms and frames."""
    rounds: int = 10
    """Number of measured rounds."""


def main(protocol: Protocol, output: Path = Path("runs", "bench-peers")) -> None:
    """Time our training step and those of torch, TorchJD, LibMTL and the released rule.

    Args:
      protocol: The size of the batch, and how often to measure.
      output: Folder for the table, as Markdown and JSON.
    """
    missing = [name for name in ("torch", "torchjd") if not importlib.util.find_spec(name)]
    if missing:
        raise UserError(f"benchmarks peers needs {missing[0]}: pip install '.[peers]'")
    make_folder(output)
    steps = step_times(protocol)
    integration = integration_times(protocol.rounds)
    table = "\n".join(
        [
            step_table(steps),
            integration_table(integration),
            f"`{COMMAND}` on {description()}, {versions()}: batch {protocol.batch_size}, "
            f"{protocol.image_size} x {protocol.image_size}, {protocol.rounds} rounds: median "
            "(minimum to maximum).\n",
        ]
    )
    results = {
        "command": COMMAND,
        "device": description(),
        "versions": versions(),
        "protocol": dataclasses.asdict(protocol),
        "seconds of a step": {name: times.tolist() for name, times in steps.items()},
        "seconds of the integration": {name: times.tolist() for name, times in integration.items()},
    }
    _report.save(output, table, results)


def step_times(protocol: Protocol) -> dict[str, np.ndarray]:
    """Measure the seconds of a training step of each library.

    Args:
      protocol: The size of the batch, and the number of rounds.

    Returns:
      Seconds by the name of the step, ``[rounds]``, such as of "ours, uniform" and "torch", the
      plain steps.
    """
    from benchmarks._problems import torch_training
    from benchmarks._problems.torch_audio_video import batch_like

    size, image = protocol.batch_size, protocol.image_size
    shapes = {"audio": (size, image, image, 1), "video": (size, 2, image, image, 3)}
    problem = audio_video.problem(shapes)
    steps = {"ours, uniform": training.uniform(problem)}
    for name, strategy in OURS.items():
        steps[name] = training.integrated(problem, ENCODERS, strategy)  # type: ignore[arg-type]
    programs: dict[str, Callable[[], Any]] = {
        name: training_program(jax.jit(step, donate_argnums=0), state, problem.batch)
        for name, (step, state) in steps.items()
    }
    batch = batch_like(jax.tree.map(np.asarray, problem.batch))
    return times_in_turns(programs | torch_training.programs(batch), protocol.rounds)


def integration_times(rounds: int) -> dict[str, np.ndarray]:
    """Measure the seconds to combine given gradients, without forward and backward passes.

    The gradients are random, of the parameters of both encoders.

    Args:
      rounds: The number of rounds.

    Returns:
      Seconds by name, ``[rounds]``: of "ours" and the "released rule", and of two kernels with
      which to compare: "read" (both gradients) and "read and write" (their sum).
    """
    import torch

    from benchmarks._problems import torch_released

    shapes: dict[str, tuple[int, ...]]
    shapes = {name: (1, 32, 32, channels) for name, channels in audio_video.CHANNELS.items()}
    params = {"encoders": audio_video.problem(shapes).params["encoders"]}
    rng = np.random.default_rng(0)
    host = jax.tree.map(lambda p: rng.normal(size=(2, *p.shape)).astype(np.float32), params)
    grads = jax.tree.map(jnp.asarray, host)
    aggregator = mmp.mmpareto(ENCODERS)
    state = aggregator.init(params)
    update = jax.jit(aggregator.update)
    read = jax.jit(lambda grads: jax.tree.map(jnp.sum, grads))
    read_and_write = jax.jit(lambda grads: jax.tree.map(lambda g: g[0] + g[1], grads))
    by_encoder = [
        [
            {str(i): torch.from_numpy(leaf[row].copy()) for i, leaf in enumerate(leaves)}
            for row in range(2)
        ]
        for leaves in map(jax.tree.leaves, host["encoders"].values())
    ]
    programs: dict[str, Callable[[], Any]] = {
        "ours": functools.partial(update, grads, state),
        "read": functools.partial(read, grads),
        "read and write": functools.partial(read_and_write, grads),
        "released rule": lambda: [torch_released.integrate(*pair) for pair in by_encoder],
    }
    return times_in_turns(programs, rounds)


def step_table(times: dict[str, np.ndarray]) -> str:
    """Write a Markdown table: each step's time over its framework's plain step, and in ms.

    Args:
      times: Seconds by the name of the step, ``[rounds]``, from :func:`step_times`.
    """
    rows = []
    for name, values in times.items():
        plain = "ours, uniform" if name.startswith("ours") else "torch"
        ratio = "–" if name == plain else str(Ratio.over_rounds(values, times[plain]))
        rows.append([name, ratio, milliseconds(values)])
    return grid(["step", "over its plain step", "ms"], rows)


def integration_table(times: dict[str, np.ndarray]) -> str:
    """Write a Markdown table: the released rule's time over ours, and ours over the floor.

    The floor is the time to read the gradients, and to read them again and write one.

    Args:
      times: Seconds by name, ``[rounds]``, from :func:`integration_times`.
    """
    ours, released = times["ours"], times["released rule"]
    floor = times["read"] + times["read and write"]
    rows = [
        ["released rule over ours", str(Ratio.over_rounds(released, ours))],
        ["ours over the streaming floor", str(Ratio.over_rounds(ours, floor))],
        ["ours, ms", milliseconds(ours)],
        ["released rule, ms", milliseconds(released)],
        ["streaming floor, ms", milliseconds(floor)],
    ]
    return grid(["integration alone", "value"], rows)


def milliseconds(seconds: np.ndarray) -> str:
    """Format times in seconds, ``[rounds]``, as median, minimum and maximum in milliseconds.

    Example:
      >>> milliseconds(np.array([0.001, 0.002, 0.009]))
      '2 (1 to 9)'
    """
    values = 1e3 * np.array([np.median(seconds), np.min(seconds), np.max(seconds)])
    return "{:.0f} ({:.0f} to {:.0f})".format(*values)


def versions() -> str:
    """Return names and versions of the installed packages that are compared, as a list in text."""
    installed = {found.metadata["Name"] for found in importlib.metadata.distributions()}
    names = ("jax", "torch", "torchjd", "LibMTL")
    return ", ".join(f"{n} {importlib.metadata.version(n)}" for n in names if n in installed)
