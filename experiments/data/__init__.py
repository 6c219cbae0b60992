"""The data sets of the experiments, by name, and the function that loads one."""

from collections.abc import Mapping
from pathlib import Path

from experiments.data._dataset import DataSet
from experiments.data.sets import (
    cg_digits,
    cg_mnist,
    cmu_mosi,
    crema_d,
    kinetics_sounds,
    modelnet40,
    multi_mnist,
    nyuv2,
    uci_mfeat,
)
from experiments.data.storage import prepared
from experiments.data.storage.fields import Batch, Fields
from experiments.data.storage.samples import Samples, samples
from experiments.errors import UserError

__all__ = ["DATASETS", "Batch", "DataSet", "Fields", "Samples", "Splits", "load", "named"]

Splits = Mapping[str, Fields] | Mapping[str, Samples]
"""The splits "train" and "test": in memory an array per field, or :class:`Samples` on disk."""

DATASETS: dict[str, DataSet] = {
    dataset.name: dataset
    for dataset in (
        cg_digits.DATASET,
        cg_mnist.DATASET,
        crema_d.DATASET,
        kinetics_sounds.DATASET,
        modelnet40.DATASET,
        cmu_mosi.DATASET,
        uci_mfeat.DATASET,
        multi_mnist.DATASET,
        nyuv2.DATASET,
    )
}
"""Every data set, by name."""


def named(name: str) -> DataSet:
    """Return the description of the data set with a name; nothing is read from disk.

    Raises:
      UserError: If no data set has that name; the message lists the names.
    """
    if name not in DATASETS:
        raise UserError(f"unknown data set {name!r}: choose one of {', '.join(sorted(DATASETS))}")
    return DATASETS[name]


def load(
    name: str,
    data_dir: str | Path | None = None,
    prepared_dir: str | Path | None = None,
    workers: int = 0,
) -> Splits:
    """Load a data set into NumPy arrays, or open it on disk if it is too large for that.

    Args:
      name: A key of ``DATASETS``.
      data_dir: The folder of the files that the set is made from, if it needs any. Missing files of
        MNIST are downloaded there.
      prepared_dir: The folder where TFDS keeps the prepared set. The first call writes it and later
        ones read it, without ``data_dir``. By default the set is made in memory, which gives the
        same arrays and does not import ``tensorflow_datasets``.
      workers: Number of processes that decode while a set is prepared. 0 by default.

    Returns:
      The splits "train" and "test". A split in memory has an array per field, with the samples
      along the first axis: the modalities, and the targets of the heads, such as ``label``, int32
      [N]. A split of a larger set is a :class:`Samples`, which reads it from disk.

    Raises:
      UserError: If the name is unknown; files are missing, damaged, or cannot be downloaded; the
        prepared set is damaged or cannot be written; or a large set is requested without
        ``prepared_dir``.

    Examples:
      >>> load("cg-digits")["test"]["gray"].shape
      (500, 8, 8, 1)
    """
    dataset = named(name)
    if dataset.transforms is not None:
        if prepared_dir is None:
            raise UserError(f"{name} does not fit in memory: name a folder with --prepared-dir")
        opened = prepared.prepare(dataset.recipe, prepared_dir, data_dir, workers)
        return {split: samples(opened, split, dataset.transforms) for split in ("train", "test")}
    if prepared_dir is None:
        assert dataset.arrays is not None  # it has no transforms
        return dataset.arrays(data_dir)
    return prepared.arrays(dataset.recipe, prepared_dir, data_dir)
