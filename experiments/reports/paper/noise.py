"""The gradients at fixed parameters that Figure 3 and the table of the noise are made of."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from experiments.engine.comparison import Spread
from experiments.reports.archive import Records
from experiments.reports.paper.evidence import Item, Measurement, Run
from experiments.reports.paper.exhibit import Scope

KIND = "gradients"

SETTINGS = ("cg-mnist", "cg-digits")
"""The settings in which every encoder has a joint and a unimodal objective."""

Measured = Mapping[str, Any]
"""What :func:`experiments.reports.paper.measurements.gradients.gradients` gives for an encoder."""


class Noise(NamedTuple):
    """An encoder of uniform runs after some epochs.

    Attributes:
      setting: The name of the setting.
      epoch: 0 for the initial parameters.
      encoder: The name of the encoder.
      seeds: What was measured, of each run whose measurement is there.
    """

    setting: str
    epoch: int
    encoder: str
    seeds: tuple[Measured, ...]

    def values(self, value: Callable[[Measured], float | None]) -> list[float]:
        """Return the values of the seeds that have one."""
        return [number for each in self.seeds if (number := value(each)) is not None]

    def spread(self, value: Callable[[Measured], float | None]) -> Spread | None:
        """Return the spread of a value over the seeds; None if no seed has it."""
        values = self.values(value)
        return Spread.over(values) if values else None


def needs(scope: Scope) -> list[Item]:
    """Return the measurements, before training, after the first epoch and after the last."""
    return [
        _measurement(scope, name, epoch, seed)
        for name in SETTINGS
        for epoch in _epochs(scope, name)
        for seed in range(scope.seeds)
    ]


def of_records(scope: Scope, records: Records) -> list[Noise]:
    """Every encoder at every epoch, with the seeds that are there."""
    return [
        Noise(name, epoch, encoder, _seeds(scope, records, name, epoch, encoder))
        for name in SETTINGS
        for encoder in scope.setting(name).encoders
        for epoch in _epochs(scope, name)
    ]


def count(
    noises: Iterable[Noise],
    value: Callable[[Measured], float | None],
    holds: Callable[[float], bool],
) -> str:
    """In how many cases something holds for the mean over seeds, in all and by encoder.

    Those in which nothing was measured do not count.

    Example:
      >>> rows = [Noise("a", 0, "gray", ({"k": 3.0},)), Noise("a", 0, "color", ({"k": 0.5},))]
      >>> count(rows, lambda measured: measured["k"], lambda k: k > 1)
      '1 of 2 cases (gray 1 of 1, color 0 of 1)'
      >>> count([], lambda measured: measured["k"], lambda k: k > 1)
      '0 of 0 cases'
    """
    by_encoder: dict[str, list[bool]] = {}
    for noise in noises:
        spread = noise.spread(value)
        if spread is not None:
            by_encoder.setdefault(noise.encoder, []).append(holds(spread.mean))
    every = [held for group in by_encoder.values() for held in group]
    total = f"{sum(every)} of {len(every)} cases"
    parts = [f"{name} {sum(group)} of {len(group)}" for name, group in by_encoder.items()]
    return f"{total} ({', '.join(parts)})" if parts else total


def _measurement(scope: Scope, name: str, epoch: int, seed: int) -> Measurement:
    return Measurement(Run(scope.setting(name), "uniform", seed), KIND, epoch)


def _epochs(scope: Scope, name: str) -> tuple[int, ...]:
    last = scope.setting(name).config.optimization.epochs
    return tuple(dict.fromkeys((0, 1, last)))


def _seeds(
    scope: Scope, records: Records, name: str, epoch: int, encoder: str
) -> tuple[Measured, ...]:
    items = [_measurement(scope, name, epoch, seed) for seed in range(scope.seeds)]
    there = [records[item] for item in items if item in records]
    return tuple(
        record["measured"][encoder] for record in there if encoder in record.get("measured", {})
    )
