"""The verb ``weightings``: time our weightings and TorchJD's.

This procedure was written down before the runs. For each number of objectives K there is a fixed
set of random Gramians and losses in float32, the same for all implementations. An implementation
that needs gradients gets Cholesky factors of the Gramians, so that the number of parameters does
not matter. A call computes the weights of one Gramian and carries the state on to the next call. In
each round our jitted function and TorchJD's implementation take turns, and each is called once per
Gramian. A first round, which compiles and warms up, does not count. Dispatch is included for both,
since users pay for it. PyTorch runs on one thread, which is fastest at these sizes. The ratio is
TorchJD's time over ours in each round. The times in microseconds hold only for the machine and the
run.
"""

import dataclasses
import importlib.metadata
import inspect
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import mmpareto_jax as mmp
from benchmarks import _report
from benchmarks._problems import torchjd
from experiments.data.storage.files import make_folder
from experiments.engine.devices import description
from experiments.engine.timing import Ratio, times_in_turns

COMMAND = "python -m benchmarks weightings"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """Settings of this benchmark: the numbers of objectives, and how often to measure."""

    objectives: tuple[int, ...] = (2, 4, 8, 32)
    """Numbers of objectives, K."""
    gramians: int = 8
    """Number of Gramians per K, and of calls per round of each implementation."""
    rounds: int = 10
    """Number of measured rounds."""


class Row(NamedTuple):
    """The times of one weighting at one number of objectives.

    Attributes:
      weighting: Its name.
      objectives: The number of objectives.
      microseconds: Our time per call, the median over the rounds.
      peer: The name of TorchJD's class, or None if TorchJD is not installed or has none for this
        number of objectives; then the next two are None too.
      peer_microseconds: TorchJD's time per call, the median over the rounds.
      ratio: TorchJD's time over ours.
    """

    weighting: str
    objectives: int
    microseconds: float
    peer: str | None
    peer_microseconds: float | None
    ratio: Ratio | None


def main(
    protocol: Protocol,
    output: Path = Path("runs", "bench-weightings"),
) -> None:
    """Time every weighting, and TorchJD's implementation if it is installed.

    Args:
      protocol: The numbers of objectives, and how often to measure.
      output: Folder for the table, as Markdown and JSON.
    """
    make_folder(output)
    rows = measure(protocol)
    caption = (
        f"`{COMMAND}` on {description()}, {_versions()}: {protocol.rounds} rounds of "
        f"{protocol.gramians} Gramians each; ratios are medians (minimum to maximum)."
    )
    table = "\n".join([markdown(rows), caption, ""])
    results = {
        "command": COMMAND,
        "protocol": dataclasses.asdict(protocol),
        "device": description(),
        "versions": _versions(),
        "rows": [{**row._asdict(), "ratio": row.ratio and row.ratio._asdict()} for row in rows],
    }
    _report.save(output, table, results)


def measure(protocol: Protocol) -> list[Row]:
    """Time each weighting of the library, and its peer, at each number of objectives.

    Args:
      protocol: The numbers of objectives, and how often to measure.

    Returns:
      One row for each weighting and number of objectives.
    """
    from tqdm import tqdm

    names = [
        name
        for name in mmp.weightings.__all__
        if inspect.isfunction(getattr(mmp.weightings, name))
        and name not in mmp.weightings.COMBINATORS
    ]
    cases = list(itertools.product(names, protocol.objectives))
    return [_row(name, size, protocol) for name, size in tqdm(cases, unit="case")]


def _row(name: str, num_objectives: int, protocol: Protocol) -> Row:
    gramians, gradients, losses = inputs(num_objectives, protocol.gramians)
    programs = {"ours": program(name, gramians, losses)}
    peer = torchjd.PEERS.get(name)
    if peer and peer.fewest <= num_objectives and torchjd.installed():
        programs["peer"] = torchjd.program(peer, gramians, gradients, losses)
    times = times_in_turns(programs, protocol.rounds, calls=protocol.gramians)
    if "peer" not in times:
        return Row(name, num_objectives, _microseconds(times["ours"]), None, None, None)
    return Row(
        name,
        num_objectives,
        _microseconds(times["ours"]),
        peer.name if peer else None,
        _microseconds(times["peer"]),
        Ratio.over_rounds(times["peer"], times["ours"]),
    )


def inputs(num_objectives: int, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Make random Gramians ``[count, K, K]``, their gradients, and losses ``[count, K]``.

    The Gramians are those of standard normal gradients with 2 K entries. They have rank K, and half
    of their inner products are negative. The returned gradients ``[count, K, K]`` have these
    Gramians. The losses lie between 0.5 and 2. All are float32, and the same at each call.

    Args:
      num_objectives: The number K of objectives, which is also the seed.
      count: The number of Gramians.
    """
    rng = np.random.default_rng(num_objectives)
    gradients = rng.normal(size=(count, num_objectives, 2 * num_objectives))
    gramians = gradients @ np.swapaxes(gradients, 1, 2)
    factors = np.linalg.cholesky(gramians)
    losses = rng.uniform(0.5, 2.0, size=(count, num_objectives))
    return gramians.astype(np.float32), factors.astype(np.float32), losses.astype(np.float32)


def program(name: str, gramians: np.ndarray, losses: np.ndarray) -> Callable[[], jax.Array]:
    """Return a function that computes our weights for the next Gramian, in a cycle.

    Args:
      name: The name of the weighting, which gets its defaults ("constant" weights are 1).
      gramians: ``[N, K, K]`` float32.
      losses: ``[N, K]`` float32.

    Returns:
      A function without arguments, whose calls pass the state on, that returns weights ``[K]``.
    """
    num_objectives = losses.shape[1]
    make: Callable[..., mmp.Weighting] = getattr(mmp.weightings, name)
    weighting = make(jnp.ones(num_objectives)) if name == "constant" else make()
    update: Any = jax.jit(
        lambda gramian, state, losses: weighting.update(gramian, state, losses=losses)
    )
    samples = itertools.cycle(list(zip(jnp.asarray(gramians), jnp.asarray(losses), strict=True)))
    state = weighting.init(num_objectives)

    def weights() -> jax.Array:
        nonlocal state
        gramian, values = next(samples)
        result, state = update(gramian, state, values)
        return result

    return weights


def markdown(rows: list[Row]) -> str:
    """Write a Markdown table of TorchJD's times over ours, and one of both in microseconds."""
    by_name: dict[str, dict[int, Row]] = {}
    for row in rows:
        by_name.setdefault(row.weighting, {})[row.objectives] = row
    sizes = list(dict.fromkeys(row.objectives for row in rows))
    columns = " | ".join(f"K = {size}" for size in sizes)
    lines = ["TorchJD's time over ours:", ""]
    lines += [
        f"| weighting | TorchJD | off the device | {columns} |",
        "|---" * (3 + len(sizes)) + "|",
    ]
    for name, cells in by_name.items():
        peer = next((row.peer for row in cells.values() if row.peer), None)
        off_device = torchjd.PEERS[name].off_device if peer else ""
        ratios = [_ratio(cells[size].ratio) for size in sizes]
        lines.append(f"| {' | '.join([name, peer or '–', off_device or '–', *ratios])} |")
    lines += ["", "Microseconds per call, ours and TorchJD's:", ""]
    lines += [f"| weighting | {columns} |", "|---" * (1 + len(sizes)) + "|"]
    for name, cells in by_name.items():
        lines.append(f"| {' | '.join([name, *[_times(cells[size]) for size in sizes]])} |")
    return "\n".join(lines) + "\n"


def _ratio(ratio: Ratio | None) -> str:
    if ratio is None:
        return "–"
    return f"{_short(ratio.median)} ({_short(ratio.minimum)} to {_short(ratio.maximum)})"


def _times(row: Row) -> str:
    theirs = "–" if row.peer_microseconds is None else f"{row.peer_microseconds:.0f}"
    return f"{row.microseconds:.0f}, {theirs}"


def _short(number: float) -> str:
    return f"{number:.1f}" if number < 100 else f"{number:.0f}"


def _microseconds(seconds: np.ndarray) -> float:
    return float(1e6 * np.median(seconds))


def _versions() -> str:
    names = ["jax", *(["torch", "torchjd"] if torchjd.installed() else [])]
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)
