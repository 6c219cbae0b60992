"""Descriptions of the runs and measurements of which the paper's tables and figures are made."""

import dataclasses
from dataclasses import dataclass

from experiments import data, methods
from experiments.config import Config
from experiments.reports.paper.settings import Setting

GAMMA = Config.gamma


@dataclass(frozen=True)
class Run:
    """A description of one run: a method trained in a setting from a seed.

    It has no results; :class:`experiments.reports.archive.Archive` has their records.

    Attributes:
      setting: The data set and the settings that all methods share.
      method: The name of the method.
      seed: The seed of the parameters, of the order of the samples and of all other randomness.
      gamma: The factor of a method that has one; other methods ignore it.
    """

    setting: Setting
    method: str
    seed: int
    gamma: float = GAMMA

    @property
    def program(self) -> tuple[Setting, str, float]:
        """Return the attributes that decide the compiled program: all but the seed."""
        return self.setting, self.method, self.gamma

    @property
    def name(self) -> str:
        """Return the name of the run's record, which is also its path below the folder of runs.

        It is ``SETTING/METHOD/SEED``, with ``-gamma-GAMMA`` behind the method unless gamma is the
        default.
        """
        factor = "" if self.gamma == GAMMA else f"-gamma-{self.gamma}"
        return f"{self.setting.name}/{self.method}{factor}/{self.seed}"

    @property
    def unheaded(self) -> tuple[str, ...]:
        """Return the encoders whose modality gets no head from the method, which a probe scores.

        Empty for a data set without a joint head, which has no probe.
        """
        heads = tuple(data.named(self.setting.config.dataset).heads)
        if "joint" not in heads:
            return ()
        trained = methods.build(self.config).trained_heads(heads)
        return tuple(name for name in self.setting.encoders if name not in trained)

    @property
    def epochs(self) -> int:
        """Return the number of epochs that the run trains for."""
        return self.setting.config.optimization.epochs

    @property
    def config(self) -> Config:
        """Return the configuration of the run: that of its setting with method, gamma and seed.

        The uniform baseline runs with ``diagnose``, so that it records conflict.
        """
        return dataclasses.replace(
            self.setting.config,
            method=self.method,
            gamma=self.gamma,
            seed=self.seed,
            diagnose=self.method == "uniform",
        )


@dataclass(frozen=True)
class Measurement:
    """A description of a measurement at the parameters that a run has after some epochs.

    Attributes:
      run: The run.
      kind: A key of :data:`experiments.reports.paper.measurements.MEASUREMENTS`.
      epoch: The number of epochs before the measurement, 0 for the initial parameters.
    """

    run: Run
    kind: str
    epoch: int

    @property
    def name(self) -> str:
        """Return the name of the measurement's record: ``RUN-KIND-EPOCH``, with the run's name."""
        return f"{self.run.name}-{self.kind}-{self.epoch}"


Item = Run | Measurement


def run_of(item: Item) -> Run:
    """Return the run of an item: of a run itself, of a measurement the run that it is taken in."""
    return item if isinstance(item, Run) else item.run
