"""What there is to know about a data set before it is opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax

from experiments.data.storage.fields import Fields
from experiments.tasks import Classification, Task

Scaling = Callable[[jax.Array], jax.Array]
"""From a stored field to an input of the model; runs on the device."""


@dataclass(frozen=True)
class DataSet:
    """A data set: where it comes from, what a model reads and what it is to predict.

    Attributes:
        name: its name on the command line.
        kind: what its inputs and outputs are, which decides the models that fit: "images",
            "frames", "features", "sequences", "digits" or "scenes".
        builder: the module and class in `builders` that prepare it on disk.
        modalities: the fields that hold its inputs, and how each is scaled.
        heads: what each head of a model is to predict.
        encoders: for each encoder, the heads whose losses train it.
        arrays: makes it in memory from the folder of its files (ignored if it needs none); None
            for a set that is read from disk sample by sample.
        transforms: for such a set, the module whose `training` and `evaluation` make a sample of
            a stored example.
    """

    name: str
    kind: str
    builder: str
    modalities: Mapping[str, Scaling]
    heads: Mapping[str, Task]
    encoders: Mapping[str, tuple[str, ...]]
    arrays: Callable[[str | Path | None], dict[str, Fields]] | None = None
    transforms: str | None = None

    def inputs(self, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Return the arrays of a batch of samples that a model reads."""
        return {name: scale(batch[name]) for name, scale in self.modalities.items()}


def multimodal(
    name: str,
    kind: str,
    builder: str,
    modalities: Mapping[str, Scaling],
    num_classes: int,
    **source: Any,
) -> DataSet:
    """Describe a set of one label and several modalities, each with an encoder and a head.

    The joint loss and its own loss train an encoder.

    Args:
        name: as in `DataSet`, and so are the next three.
        kind: see there.
        builder: see there.
        modalities: see there.
        num_classes: labels are 0 to `num_classes - 1`.
        **source: what else `DataSet` is to be told.
    """
    task = Classification(num_classes)
    heads = {"joint": task, **dict.fromkeys(modalities, task)}
    encoders = {modality: ("joint", modality) for modality in modalities}
    return DataSet(name, kind, builder, modalities, heads, encoders, **source)


def multitask(
    name: str,
    kind: str,
    builder: str,
    modalities: Mapping[str, Scaling],
    heads: Mapping[str, Task],
    **source: Any,
) -> DataSet:
    """Describe a set of several tasks on one input, whose losses train one shared encoder.

    Args:
        name: as in `DataSet`, and so are the next four.
        kind: see there.
        builder: see there.
        modalities: see there.
        heads: see there.
        **source: what else `DataSet` is to be told.
    """
    return DataSet(name, kind, builder, modalities, heads, {"shared": tuple(heads)}, **source)
