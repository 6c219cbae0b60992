"""The configuration of a run: all settings that determine its result."""

import dataclasses
import json
import math
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
        rate, decay = self.learning_rate, self.weight_decay
        _require(0 < rate < math.inf, "learning_rate must be positive and finite", rate)
        _require(0 <= self.momentum < 1, "momentum must be in [0, 1)", self.momentum)
        _require(0 <= decay < math.inf, "weight_decay must be finite and at least 0", decay)
        _require(self.batch_size > 0, "batch_size must be positive", self.batch_size)
        _require(self.epochs > 0, "epochs must be positive", self.epochs)


PAPER = Optimization(learning_rate=1e-3, momentum=0.9, weight_decay=1e-4, batch_size=64, epochs=50)
"""The paper's learning rate and momentum (appendix B); the paper does not give the others, which
are those of the released code."""


@dataclasses.dataclass(frozen=True)
class Config:
    """One training run."""

    dataset: str = "cg-digits"
    """Data set. The other defaults depend on it."""
    model: str = "cg-cnn"
    """Model, of those that fit the data set."""
    fusion: str = "concatenation"
    """Fusion of a model that fuses late."""
    weights: str | None = None
    """File of pretrained weights to start from, .safetensors or .pth; None starts from scratch."""
    method: str = "mmpareto"
    """Training method. A rival of MMPareto has its published defaults."""
    options: tuple[str, ...] = ()
    """Hyper-parameters of the method that differ from their published values, as NAME=VALUE."""
    gamma: float = 1.5
    """Magnitude relative to the uniform baseline's, for the methods that have one."""
    diagnose: bool = False
    """Measure the conflict of the objectives at every step also for methods that do not need it,
    at the cost of a backward pass for each objective, and how far each update serves each objective
    after momentum and weight decay; the updates are the same."""
    seed: int = 0
    """Seed of the initial parameters, the order of the samples, dropout and the method."""
    optimization: Optimization = Optimization()

    def __post_init__(self) -> None:
        _require(0 < self.gamma < math.inf, "gamma must be positive and finite", self.gamma)
        _require(0 <= self.seed < 2**32, "seed must be at least 0 and below 2**32", self.seed)

    def to_json(self) -> dict[str, Any]:
        """Return the configuration as a nested dict of values that JSON can hold, by setting."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Config":
        """Read a configuration that :meth:`to_json` wrote; missing settings get their defaults.

        Raises:
          UserError: If a setting is unknown, or its value has the wrong type.

        Examples:
          >>> Config.from_json(Config(seed=3).to_json()) == Config(seed=3)
          True
        """
        return _from_json(cls(), values)


def _from_json(defaults: Any, values: Any) -> Any:
    """Return a copy of a dataclass with some values replaced.

    Args:
      defaults: The dataclass; its fields may be dataclasses themselves.
      values: The new values by field, as JSON has them.

    Raises:
      UserError: If a field is unknown, or a value has the wrong type.
    """
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
    """Return the differences between two configurations, apart from the number of epochs.

    Args:
      ours: The configuration of a checkpoint.
      theirs: The configuration of the run that continues, called "here" in the texts.

    Returns:
      A text for each setting that differs, none for equal configurations.

    Examples:
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
    """Return the default folder of a run, ``runs/DATASET-METHOD-SEED`` in the working directory.

    The folder is not made.
    """
    return Path("runs", f"{config.dataset}-{config.method}-{config.seed}")
