"""The description of a data set, which is known before the set is opened."""

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
"""Function of a stored field ``[B, ...]`` that returns an input of the model, float32 of the same
shape; it runs on the device."""


class Objectives(NamedTuple):
    """The losses of a data set.

    Attributes:
      heads: The task of each head of a model.
      encoders: The heads whose losses train each encoder.
    """

    heads: Mapping[str, Task]
    encoders: Mapping[str, tuple[str, ...]]


def multimodal(modalities: Mapping[str, Scaling], num_classes: int) -> Objectives:
    """Return the objectives of one label and several modalities, each with an encoder and a head.

    Each encoder is trained by the joint loss and by the loss of its own head.

    Args:
      modalities: The modalities by name, as in :class:`DataSet`.
      num_classes: Number of classes; labels are 0 to ``num_classes - 1``.
    """
    task = Classification(num_classes)
    return Objectives(
        heads={"joint": task, **dict.fromkeys(modalities, task)},
        encoders={modality: ("joint", modality) for modality in modalities},
    )


def multitask(heads: Mapping[str, Task]) -> Objectives:
    """Return the objectives of several tasks that share one input and one encoder.

    The encoder is called "shared", and the losses of all tasks train it.

    Args:
      heads: The task of each head, by the name of the head.
    """
    return Objectives(heads, {"shared": tuple(heads)})


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A data set: its source on disk, the inputs and targets of a model, and default settings.

    Attributes:
      name: Its name on the command line.
      kind: The kind of inputs and outputs, which determines the models that fit: "images",
        "frames", "features", "sequences", "digits" or "scenes".
      modalities: The input fields, and the scaling of each.
      objectives: The tasks, and the losses that train each encoder.
      recipe: How the set is written to disk.
      arrays: Function that makes the set in memory from the folder of its files (ignored if it
        needs none); None for a set that is read from disk sample by sample.
      transforms: Functions that make samples from the stored examples of a set that is read from
        disk.
      needs_files: Whether the user must provide files; otherwise they are downloaded, or none is
        needed.
      model: The default model.
      optimization: The default optimization.
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
        """Return the task of each head of a model, by name of the head."""
        return self.objectives.heads

    @property
    def encoders(self) -> Mapping[str, tuple[str, ...]]:
        """Return the names of the heads whose losses train each encoder, by name of the encoder."""
        return self.objectives.encoders

    @property
    def preset(self) -> Config:
        """Return the default configuration of a run on this data set."""
        return Config(dataset=self.name, model=self.model, optimization=self.optimization)

    def inputs(self, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Return the scaled inputs of a model, float32 by modality, from a batch of samples.

        Args:
          batch: An array per stored field; fields that are no modality, such as the label, are left
            out.
        """
        return {name: scale(batch[name]) for name, scale in self.modalities.items()}
