"""The table of methods against imbalanced multimodal learning: the paper's Table 1.

The protocol was written down before the runs and is the same for every method: data set and what
its preset says, seeds, epochs and learning rate of :class:`~experiments.comparison.Protocol`, the
published hyper-parameters of each method. The accuracy of a head is that on the test set, averaged
over the last five epochs. Where a method trains no head for a modality, a linear probe on the
encoder at the end of training takes its place, and an asterisk marks it. Nothing is selected on the
test set.
"""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

from experiments import data, program
from experiments.comparison import (
    Protocol,
    Spread,
    accuracies,
    per_cent,
    run_seeds,
    spread,
)
from experiments.data import DATASETS
from experiments.device import description
from experiments.errors import UserError
from experiments.prepare import PREPARED, WORKERS
from experiments.probe import linear_probe

COMMAND = "python -m experiments table imbalanced"

ROWS = {
    "unimodal": "each modality by itself",
    "pretrain-finetune": "unimodal pre-trained & fine-tuned",
    "joint": "one joint loss",
    "uniform": "uniform baseline",
    "g-blending": "G-Blending",
    "ogm-ge": "OGM-GE",
    "greedy": "Greedy",
    "pmr": "PMR",
    "agm": "AGM",
    "mmpareto": "MMPareto",
}
"""The methods, in the order of the paper's table, and what it calls them."""


class Score(NamedTuple):
    """A score of each run, or why there is none."""

    runs: list[float] | None
    probed: bool = False


def main(
    protocol: Protocol,
    data_dir: Path | None = None,
    prepared_dir: Path | None = None,
    output: Path = Path("runs", "table-imbalanced"),
    workers: int = WORKERS,
) -> None:
    """Compare the methods of the paper's Table 1 under one protocol.

    Args:
      protocol: What to run.
      data_dir: As for train.
      prepared_dir: As for train; by default a set that fits in memory is made there.
      output: Folder for the table, as Markdown and JSON.
      workers: As for train.
    """
    from tqdm import tqdm

    dataset = data.named(protocol.dataset)
    if "joint" not in dataset.heads:
        raise UserError(f"{dataset.name} has several tasks and no modalities: choose another set")
    if dataset.transforms is not None:
        prepared_dir = prepared_dir or PREPARED
    start = time.perf_counter()
    splits = data.load(dataset.name, data_dir or Path("data", dataset.name), prepared_dir, workers)
    scores: dict[str, dict[str, Score]] = {}
    refused: dict[str, str] = {}
    with tqdm(unit="epoch", total=len(ROWS) * protocol.seeds * protocol.epochs) as progress:
        for name in ROWS:
            progress.set_description(name)
            try:
                compiled = program.build(protocol.config(name), splits, workers=workers)
            except UserError as error:
                refused[name] = str(error)
                continue
            scores[name] = run(compiled, protocol, progress.update)
    _save(protocol, scores, refused, round(time.perf_counter() - start), output)


def run(
    compiled: program.Program, protocol: Protocol, on_epoch: Any = lambda: None
) -> dict[str, Score]:
    """The scores of a method: "joint", "macro F1" (of the joint head) and each modality."""
    modalities = tuple(DATASETS[protocol.dataset].encoders)
    heads = ("joint", *modalities)
    probes: list[dict[str, dict[str, float]]] = []
    untrained = [name for name in modalities if name not in compiled.tasks]

    def probe(state: program.TrainState) -> None:
        if untrained:
            probes.append(linear_probe(compiled, state))

    histories = run_seeds(compiled, protocol, on_epoch, probe)
    scores = {head: Score(accuracies(histories, head)) for head in heads}
    scores["macro F1"] = Score(accuracies(histories, "joint", "macro_f1"))
    for name in untrained:
        scores[name] = Score([each[name]["accuracy"] for each in probes], probed=True)
    return scores


def markdown(scores: dict[str, dict[str, Score]], modalities: tuple[str, ...]) -> str:
    """The scores as a Markdown table, in per cent."""
    columns = ("joint", "macro F1", *modalities)
    head = ["method", "joint acc.", "joint macro F1", *(f"{name} acc." for name in modalities)]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name, title in ROWS.items():
        cells = [_cell(scores[name][column]) if name in scores else "/" for column in columns]
        lines.append(f"| {' | '.join([title, *cells])} |")
    return "\n".join(lines) + "\n"


def _cell(score: Score) -> str:
    over_seeds: Spread | None = spread(score.runs)
    return per_cent(over_seeds) + ("\\*" if score.probed else "")


def _save(
    protocol: Protocol,
    scores: dict[str, dict[str, Score]],
    refused: dict[str, str],
    seconds: int,
    output: Path,
) -> None:
    device = description()
    command = f"{COMMAND} --dataset {protocol.dataset}"
    caption = (
        f"`{command}` on {device}: mean ± standard deviation over {protocol.seeds} seeds, in per "
        f"cent; {protocol.epochs} epochs, learning rate {protocol.learning_rate}; means over the "
        "last five epochs; \\*: a linear probe on the encoder at the end, where the method trains "
        "no head for the modality; /: the method does not admit this data set.\n"
    ) + "".join(f"\n{ROWS[name]}: {reason}.\n" for name, reason in refused.items())
    modalities = tuple(DATASETS[protocol.dataset].encoders)
    table = f"{markdown(scores, modalities)}\n{caption}"
    results = {
        "command": command,
        "protocol": dataclasses.asdict(protocol),
        "optimisation": dataclasses.asdict(protocol.optimisation),
        "device": device,
        "seconds": seconds,
        "refused": refused,
        "methods": {
            name: {column: score._asdict() for column, score in columns.items()}
            for name, columns in scores.items()
        },
    }
    output.mkdir(parents=True, exist_ok=True)
    (output / "table.md").write_text(table)
    (output / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    print(table)
    print(f"{seconds} s; table and results are in {output}")
