"""The verb ``demo``: runs the comparison and writes what it found."""

import dataclasses
import json
import time
from pathlib import Path

import jax

from experiments import data, program
from experiments.config import Config, Optimisation
from experiments.demo import figures, table
from experiments.program import Program, TrainState
from experiments.train import train

METHODS = {
    "joint": "one joint loss",
    "uniform": "uniform",
    "uniform-gamma": "uniform x gamma",
    "pareto": "conventional Pareto",
    "mmpareto": "MMPareto",
}
"""The methods that are compared, and how the table calls them."""

DIAGNOSED = ("uniform", "uniform-gamma")
"""Methods that learn of conflict only if asked to; their speed is measured unasked."""

TIMED_ROUNDS = 5
TIMED_STEPS = 20


@dataclasses.dataclass(frozen=True)
class Protocol:
    """What the demo runs; the same for every method, and fixed before the runs."""

    seeds: int = 3
    """Runs per method, with seeds 0, 1, ..."""
    epochs: int = 14
    """Epochs per run. A run's accuracy is its mean over the last five."""
    learning_rate: float = 0.02
    """Learning rate of SGD; twice the default of train, to learn enough in so few epochs."""
    gamma: float = 1.5
    """MMPareto's gamma and the factor of uniform x gamma."""


def main(protocol: Protocol, output: Path = Path("runs", "demo")) -> None:
    """Compare MMPareto with four baselines on coloured-and-gray digits, which need no download.

    Args:
      protocol: What to run.
      output: Folder for the table and the figures.
    """
    from tqdm import tqdm

    start = time.perf_counter()
    optimisation = Optimisation(epochs=protocol.epochs, learning_rate=protocol.learning_rate)
    configs = {
        method: Config(
            method=method,
            gamma=protocol.gamma,
            diagnose=method in DIAGNOSED,
            optimisation=optimisation,
        )
        for method in METHODS
    }
    arrays = data.load("cg-digits")
    programs = {method: program.build(config, arrays) for method, config in configs.items()}
    histories: dict[str, list[list[dict]]] = {}
    with tqdm(unit="epoch", total=len(METHODS) * protocol.seeds * protocol.epochs) as progress:
        for method, compiled in programs.items():
            progress.set_description(METHODS[method])
            histories[method] = []
            for seed in range(protocol.seeds):
                history: list[dict] = []

                def on_epoch(state: TrainState, record: dict, history: list = history) -> None:
                    history.append(record)
                    progress.update()

                train(compiled, compiled.initial_state(seed), protocol.epochs, on_epoch)
                histories[method].append(history)

    for method in DIAGNOSED:
        plain = dataclasses.replace(configs[method], diagnose=False)
        programs[method] = program.build(plain, arrays)
    speeds = steps_per_second(programs)
    rows = table.rows(METHODS, histories, speeds)
    output.mkdir(parents=True, exist_ok=True)
    (output / "table.md").write_text(table.markdown(rows))
    (output / "results.json").write_text(
        json.dumps(
            {
                "command": "python -m experiments demo",
                "protocol": dataclasses.asdict(protocol),
                "optimisation": dataclasses.asdict(optimisation),
                "device": jax.devices()[0].device_kind,
                "steps_per_second": speeds,
                "histories": histories,
            }
        )
    )
    figures.accuracy(METHODS, histories, output / "accuracy")
    figures.cosine(histories["mmpareto"], output / "cosine")
    print(table.markdown(rows))
    print(f"{time.perf_counter() - start:.0f} s; table, results and figures are in {output}")


def steps_per_second(programs: dict[str, Program]) -> dict[str, list[float]]:
    """Steps per second of each program, one number a round; in a round the programs take turns."""
    states = {}
    for method, compiled in programs.items():
        state = compiled.initial_state(0)
        order = compiled.draw_order(state)
        states[method], _ = compiled.step(state, compiled.train_set, order)
        jax.block_until_ready(states[method])
    speeds: dict[str, list[float]] = {method: [] for method in programs}
    for _ in range(TIMED_ROUNDS):
        for method, compiled in programs.items():
            order = compiled.draw_order(states[method])
            start = time.perf_counter()
            for _ in range(TIMED_STEPS):
                states[method], _ = compiled.step(states[method], compiled.train_set, order)
            jax.block_until_ready(states[method])
            speeds[method].append(TIMED_STEPS / (time.perf_counter() - start))
    return speeds
