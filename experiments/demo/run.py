"""The verb ``demo``: runs the comparison and writes what it found."""

import dataclasses
import json
import time
from pathlib import Path

import jax

from experiments import data, program
from experiments.comparison import DIAGNOSED, History, Protocol, run_seeds
from experiments.demo import figures, table
from experiments.files import write_whole
from experiments.program import Program

METHODS = {
    "joint": "one joint loss",
    "uniform": "uniform",
    "uniform-gamma": "uniform x gamma",
    "pareto": "conventional Pareto",
    "mmpareto": "MMPareto",
}
"""The methods that are compared, and how the table calls them."""

TIMED_ROUNDS = 5
TIMED_STEPS = 20


def main(protocol: Protocol, output: Path = Path("runs", "demo")) -> None:
    """Compare MMPareto with four baselines on coloured-and-gray digits, which need no download.

    Args:
      protocol: What to run.
      output: Folder for the table and the figures.
    """
    from tqdm import tqdm

    start = time.perf_counter()
    configs = {method: protocol.config(method) for method in METHODS}
    arrays = data.load("cg-digits")
    programs = {method: program.build(config, arrays) for method, config in configs.items()}
    histories: dict[str, list[History]] = {}
    with tqdm(unit="epoch", total=len(METHODS) * protocol.seeds * protocol.epochs) as progress:
        for method, compiled in programs.items():
            progress.set_description(METHODS[method])
            histories[method] = run_seeds(compiled, protocol, progress.update)

    for method in DIAGNOSED:  # their speed is measured without what they need not do
        plain = dataclasses.replace(configs[method], diagnose=False)
        programs[method] = program.build(plain, arrays)
    speeds = steps_per_second(programs)
    rows = table.rows(METHODS, histories, speeds)
    output.mkdir(parents=True, exist_ok=True)
    write_whole(output / "table.md", table.markdown(rows))
    write_whole(
        output / "results.json",
        json.dumps(
            {
                "command": "python -m experiments demo",
                "protocol": dataclasses.asdict(protocol),
                "optimisation": dataclasses.asdict(protocol.optimisation),
                "device": jax.devices()[0].device_kind,
                "steps_per_second": speeds,
                "histories": histories,
            }
        ),
    )
    figures.accuracy(METHODS, histories, output / "accuracy")
    figures.cosine(histories["mmpareto"], output / "cosine")
    print(table.markdown(rows))
    print(f"{time.perf_counter() - start:.0f} s; table, results and figures are in {output}")


def steps_per_second(programs: dict[str, Program]) -> dict[str, list[float]]:
    """Time each program in steps per second, one number a round; in a round they take turns."""
    states, batches = {}, {}
    for method, compiled in programs.items():
        state = compiled.initial_state(0)
        steps = range(1 + TIMED_ROUNDS * TIMED_STEPS)
        batches[method] = compiled.feed.training(state.key, steps)
        states[method], _ = compiled.step(state, next(batches[method]))
        jax.block_until_ready(states[method])
    speeds: dict[str, list[float]] = {method: [] for method in programs}
    for _ in range(TIMED_ROUNDS):
        for method, compiled in programs.items():
            start = time.perf_counter()
            for _ in range(TIMED_STEPS):
                states[method], _ = compiled.step(states[method], next(batches[method]))
            jax.block_until_ready(states[method])
            speeds[method].append(TIMED_STEPS / (time.perf_counter() - start))
    return speeds
