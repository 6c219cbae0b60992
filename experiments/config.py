"""The configuration of a run: everything that decides its result."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from experiments.errors import UserError


def _require(condition: bool, requirement: str, value: float) -> None:
    if not condition:
        raise UserError(f"{requirement}, got {value}")


@dataclasses.dataclass(frozen=True)
class Optimization:
    """Hyper-parameters of SGD."""

    learning_rate: float = 0.01
    """Learning rate of SGD, constant."""
    momentum: float = 0.9
    """Momentum of SGD."""
    weight_decay: float = 1e-4
    """L2 penalty added to the combined gradient before the momentum."""
    batch_size: int = 64
    """Samples per step, over all devices together."""
    epochs: int = 30
    """Passes over the training set."""

    def __post_init__(self) -> None:
        _require(self.learning_rate > 0, "learning_rate must be positive", self.learning_rate)
        _require(0 <= self.momentum < 1, "momentum must be in [0, 1)", self.momentum)
        _require(self.weight_decay >= 0, "weight_decay must not be negative", self.weight_decay)
        _require(self.batch_size > 0, "batch_size must be positive", self.batch_size)
        _require(self.epochs > 0, "epochs must be positive", self.epochs)


PAPER = Optimization(learning_rate=1e-3, momentum=0.9, weight_decay=1e-4, batch_size=64, epochs=50)
"""Learning rate and momentum are the paper's (appendix B); where it is silent, the rest is that of
the code released with it."""


@dataclasses.dataclass(frozen=True)
class Config:
    """One training run."""

    dataset: str = "cg-digits"
    """Data set. The other defaults depend on it."""
    model: str = "cg-cnn"
    """Model, of those that fit the data set."""
    fusion: str = "concatenation"
    """How a model that fuses late does it."""
    weights: str | None = None
    """File of pretrained weights to begin from, .safetensors or .pth; None begins from scratch."""
    method: str = "mmpareto"
    """Training method. A rival of MMPareto has its published defaults."""
    options: tuple[str, ...] = ()
    """Hyper-parameters of the method that are not to have their published values, as NAME=VALUE."""
    gamma: float = 1.5
    """Magnitude over the uniform baseline's, for the methods that have one."""
    diagnose: bool = False
    """Measure the conflict of the objectives at every step also for methods that do not need it,
    at the price of a backward pass for each; the updates are the same."""
    seed: int = 0
    """Seed of the initial parameters and of the order of the samples."""
    optimization: Optimization = Optimization()

    def __post_init__(self) -> None:
        _require(0 < self.gamma < float("inf"), "gamma must be positive and finite", self.gamma)

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as plain JSON values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Config":
        """Read the configuration that :meth:`to_json` wrote; what it lacks has its default.

        Raises:
          UserError: If a setting is unknown, or its value is not of its type.

        Example:
            >>> Config.from_json(Config(seed=3).to_json()) == Config(seed=3)
            True
        """
        return _from_json(cls(), values)


def _from_json(defaults: Any, values: Any) -> Any:
    """Return the dataclass with other values than its defaults."""
    if not isinstance(values, dict):
        raise UserError(f"expected settings by name, got {json.dumps(values)}")
    known = {field.name for field in dataclasses.fields(defaults)}
    if unknown := sorted(set(values) - known):
        raise UserError(f"unknown setting {', '.join(unknown)}")
    return dataclasses.replace(
        defaults,
        **{name: _setting(name, getattr(defaults, name), value) for name, value in values.items()},
    )


def _setting(name: str, default: Any, value: Any) -> Any:
    if dataclasses.is_dataclass(default):
        return _from_json(default, value)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    types = {float: (float, int), type(None): (type(None), str)}.get(type(default), type(default))
    if not isinstance(value, types) or isinstance(value, bool) != isinstance(default, bool):
        raise UserError(f"{name} cannot be {json.dumps(value)}")
    return value


def differences(ours: Config, theirs: Config) -> list[str]:
    """List the differences between two configurations, apart from the number of epochs.

    Example:
        >>> differences(Config(seed=1), Config(seed=2))
        ['seed 1 (here 2)']
    """
    flat = [{**config.to_json()["optimization"], **config.to_json()} for config in (ours, theirs)]
    return [
        f"{name} {json.dumps(value)} (here {json.dumps(flat[1][name])})"
        for name, value in flat[0].items()
        if name not in ("optimization", "epochs") and value != flat[1][name]
    ]


def default_run_dir(config: Config) -> Path:
    """Return the folder of a run whose user names none: ``runs/DATASET-METHOD-SEED``."""
    return Path("runs", f"{config.dataset}-{config.method}-{config.seed}")
