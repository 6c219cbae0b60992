"""The description of a data set: what there is to know about it before it is opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import jax

from experiments.config import Config, Optimization
from experiments.data.storage.fields import Fields
from experiments.data.storage.recipe import Recipe
from experiments.data.storage.samples import Transforms
from experiments.tasks import Classification, Task

Scaling = Callable[[jax.Array], jax.Array]
"""From a stored field to an input of the model; runs on the device."""


class Objectives(NamedTuple):
    """The losses of a data set.

    Attributes:
      heads: What each head of a model is to predict.
      encoders: For each encoder, the heads whose losses train it.
    """

    heads: Mapping[str, Task]
    encoders: Mapping[str, tuple[str, ...]]


def multimodal(modalities: Mapping[str, Scaling], num_classes: int) -> Objectives:
    """Return the objectives of one label and several modalities, each with an encoder and a head.

    The joint loss and its own loss train an encoder.

    Args:
      modalities: By name, as in :class:`DataSet`.
      num_classes: Labels are 0 to ``num_classes - 1``.
    """
    task = Classification(num_classes)
    return Objectives(
        heads={"joint": task, **dict.fromkeys(modalities, task)},
        encoders={modality: ("joint", modality) for modality in modalities},
    )


def multitask(heads: Mapping[str, Task]) -> Objectives:
    """Return the objectives of several tasks on one input, whose losses train a shared encoder."""
    return Objectives(heads, {"shared": tuple(heads)})


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set: where it comes from, what a model reads, what it is to predict, how it trains.

    Attributes:
      name: Its name on the command line.
      kind: What its inputs and outputs are, which decides the models that fit: "images",
        "frames", "features", "sequences", "digits" or "scenes".
      modalities: The fields that hold its inputs, and how each is scaled.
      objectives: What is to be predicted, and which losses train which encoder.
      recipe: How it is written to disk.
      arrays: Makes it in memory from the folder of its files (ignored if it needs none); None for
        a set that is read from disk sample by sample.
      transforms: Makes the samples of a set that is read from disk of its stored examples.
      needs_files: Whether its user has to provide files; else they are downloaded, or none is
        needed.
      model: The model of a run whose user names none.
      optimization: The optimization of a run, as far as its user says nothing else.
    """

    name: str
    kind: str
    modalities: Mapping[str, Scaling]
    objectives: Objectives
    recipe: Recipe
    arrays: Callable[[str | Path | None], dict[str, Fields]] | None = None
    transforms: Transforms | None = None
    needs_files: bool = True
    model: str
    optimization: Optimization = Config.optimization

    @property
    def heads(self) -> Mapping[str, Task]:
        """What each head of a model is to predict."""
        return self.objectives.heads

    @property
    def encoders(self) -> Mapping[str, tuple[str, ...]]:
        """For each encoder, the heads whose losses train it."""
        return self.objectives.encoders

    @property
    def preset(self) -> Config:
        """The configuration of a run, as far as its user says nothing else."""
        return Config(dataset=self.name, model=self.model, optimization=self.optimization)

    def inputs(self, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Return the arrays of a batch of samples that a model reads."""
        return {name: scale(batch[name]) for name, scale in self.modalities.items()}
