"""The data sets of the experiments, by name."""

from collections.abc import Mapping
from pathlib import Path

from experiments.data._dataset import DataSet, multimodal, multitask
from experiments.data.media.scaling import as_stored, imagenet, unit
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
from experiments.tasks import Classification, Depth, Segmentation

__all__ = ["DATASETS", "Batch", "DataSet", "Fields", "Samples", "Splits", "load", "named"]

Splits = Mapping[str, Fields] | Mapping[str, Samples]
"""The sets "train" and "test", in memory or read from disk."""

GRAY_AND_COLOUR = {"gray": unit, "colour": unit}

SEQUENCES = dict.fromkeys(cmu_mosi.MODALITIES, as_stored)
VIEWS = dict.fromkeys(uci_mfeat.VIEWS, as_stored)

DATASETS = {
    dataset.name: dataset
    for dataset in (
        multimodal(
            "cg-digits",
            "images",
            "cg_digits.CgDigits",
            GRAY_AND_COLOUR,
            num_classes=10,
            arrays=lambda _: cg_digits.arrays(),
        ),
        multimodal(
            "cg-mnist",
            "images",
            "cg_mnist.CgMnist",
            GRAY_AND_COLOUR,
            num_classes=10,
            arrays=cg_mnist.arrays,
        ),
        multimodal(
            "crema-d",
            "frames",
            "crema_d.CremaD",
            {"audio": as_stored, "video": imagenet},
            num_classes=len(crema_d.CLASSES),
            transforms="crema_d",
        ),
        multimodal(
            "kinetics-sounds",
            "frames",
            "kinetics_sounds.KineticsSounds",
            {"audio": as_stored, "video": imagenet},
            num_classes=len(kinetics_sounds.CLASSES),
            transforms="kinetics_sounds",
        ),
        multimodal(
            "modelnet40",
            "images",
            "modelnet40.Modelnet40",
            {"front": imagenet, "back": imagenet},
            num_classes=len(modelnet40.CLASSES),
            transforms="modelnet40",
        ),
        multimodal(
            "cmu-mosi",
            "sequences",
            "cmu_mosi.CmuMosi",
            SEQUENCES,
            num_classes=2,
            arrays=cmu_mosi.arrays,
        ),
        multimodal(
            "uci-mfeat",
            "features",
            "uci_mfeat.UciMfeat",
            VIEWS,
            num_classes=uci_mfeat.NUM_CLASSES,
            arrays=uci_mfeat.arrays,
        ),
        multitask(
            "multi-mnist",
            "digits",
            "multi_mnist.MultiMnist",
            {"image": unit},
            {"left": Classification(10, "left"), "right": Classification(10, "right")},
            arrays=multi_mnist.arrays,
        ),
        multitask(
            "nyuv2",
            "scenes",
            "nyuv2.Nyuv2",
            {"image": unit},
            {"segmentation": Segmentation(nyuv2.NUM_CLASSES), "depth": Depth()},
            transforms="nyuv2",
        ),
    )
}
"""Every data set, by name."""


def named(name: str) -> DataSet:
    """Return the data set of a name.

    Raises:
        UserError: there is none.
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
    """Load a data set into NumPy arrays, or open one that is too large for that.

    Args:
        name: a key of `DATASETS`.
        data_dir: the folder of the files that the set is made from, if it needs any; files of
            MNIST that it lacks are downloaded there.
        prepared_dir: where TFDS keeps the prepared set, which is written at the first call and
            read at later ones, without `data_dir`. By default the set is made in memory, which
            gives the same arrays and does not import `tensorflow_datasets`.
        workers: the processes that decode while a set is prepared.

    Returns:
        `train` and `test`. A set in memory: each with an array per field, samples along the first
        axis: the modalities, and the targets of the heads, such as `label`, int32 [N]. A larger
        set: each as `Samples`, which reads them from disk.

    Raises:
        UserError: the name is unknown; files are missing, damaged, or cannot be downloaded; the
            prepared set is damaged or cannot be written; a large set is to be made in memory.

    Example:
        >>> load("cg-digits")["test"]["gray"].shape
        (500, 8, 8, 1)
    """
    dataset = named(name)
    if dataset.transforms is not None:
        if prepared_dir is None:
            raise UserError(f"{name} does not fit in memory: name a folder with --prepared-dir")
        opened = prepared.prepare(dataset.builder, prepared_dir, data_dir, workers)
        return {split: samples(opened, split, dataset.transforms) for split in ("train", "test")}
    if prepared_dir is None:
        assert dataset.arrays is not None  # it has no transforms
        return dataset.arrays(data_dir)
    return prepared.arrays(dataset.builder, prepared_dir, data_dir)
