"""What the paper's tables and figures are made of: trained runs and what is measured of them."""

import dataclasses
from dataclasses import dataclass

from experiments import data, methods
from experiments.config import Config
from experiments.reports.paper.settings import Setting

GAMMA = Config.gamma


@dataclass(frozen=True)
class Run:
    """A method trained in a setting from a seed.

    Attributes:
      setting: What it shares with all methods.
      method: Its method.
      seed: Its seed.
      gamma: The factor, of a method that has one.
    """

    setting: Setting
    method: str
    seed: int
    gamma: float = GAMMA

    @property
    def program(self) -> tuple[Setting, str, float]:
        """Everything that decides the compiled program: all but the seed."""
        return self.setting, self.method, self.gamma

    @property
    def name(self) -> str:
        """The name of the run among all records, and its folder below that of the runs."""
        factor = "" if self.gamma == GAMMA else f"-gamma-{self.gamma}"
        return f"{self.setting.name}/{self.method}{factor}/{self.seed}"

    @property
    def unheaded(self) -> tuple[str, ...]:
        """The modalities for which the method trains no head, which a probe has to score."""
        heads = tuple(data.named(self.setting.config.dataset).heads)
        if "joint" not in heads:
            return ()
        trained = methods.build(self.config).trained_heads(heads)
        return tuple(name for name in self.setting.encoders if name not in trained)

    @property
    def epochs(self) -> int:
        """The number of epochs that the run trains for, from the configuration of its setting."""
        return self.setting.config.optimization.epochs

    @property
    def config(self) -> Config:
        """Everything that decides the result of the run, apart from the data."""
        return dataclasses.replace(
            self.setting.config,
            method=self.method,
            gamma=self.gamma,
            seed=self.seed,
            diagnose=self.method == "uniform",
        )


@dataclass(frozen=True)
class Measurement:
    """What is measured at the parameters that a run has after some epochs.

    Attributes:
      run: The run.
      kind: A key of :data:`experiments.reports.paper.measurements.MEASUREMENTS`.
      epoch: 0 for the initial parameters.
    """

    run: Run
    kind: str
    epoch: int

    @property
    def name(self) -> str:
        """The name of the measurement among all records."""
        return f"{self.run.name}-{self.kind}-{self.epoch}"


Item = Run | Measurement


def run_of(item: Item) -> Run:
    """Return the run itself, or the run of which something is measured."""
    return item if isinstance(item, Run) else item.run
