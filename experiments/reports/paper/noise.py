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
"""The dict that :func:`experiments.reports.paper.measurements.gradients.gradients` returns for an
encoder."""


class Noise(NamedTuple):
    """The measured gradients of one encoder in the runs of the uniform baseline after some epochs.

    Attributes:
      setting: The name of the setting.
      epoch: The number of epochs before the measurement, 0 for the initial parameters.
      encoder: The name of the encoder.
      seeds: The measurements that are on disk, one for each seed.
    """

    setting: str
    epoch: int
    encoder: str
    seeds: tuple[Measured, ...]

    def values(self, value: Callable[[Measured], float | None]) -> list[float]:
        """Return a value of each seed, without the seeds for which it is None.

        Args:
          value: Maps a measurement to the value.
        """
        return [number for each in self.seeds if (number := value(each)) is not None]

    def spread(self, value: Callable[[Measured], float | None]) -> Spread | None:
        """Return mean and standard deviation of a value over the seeds; None if no seed has it.

        Args:
          value: Maps a measurement to the value, or to None.
        """
        values = self.values(value)
        return Spread.over(values) if values else None


def needs(scope: Scope) -> list[Item]:
    """Return the gradient measurements of all uniform runs of the two settings.

    There are three for each run: before training, after the first epoch and after the last.
    """
    return [
        _measurement(scope, name, epoch, seed)
        for name in SETTINGS
        for epoch in _epochs(scope, name)
        for seed in range(scope.seeds)
    ]


def of_records(scope: Scope, records: Records) -> list[Noise]:
    """Return the measured gradients of every encoder at every epoch, also where no seed has any."""
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
    """Write in how many cases a condition holds for the mean over seeds, in all and by encoder.

    Args:
      noises: The cases. Those whose value no seed has do not count.
      value: Maps a measurement to the value, or to None.
      holds: The condition on the mean of the value over the seeds.

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
