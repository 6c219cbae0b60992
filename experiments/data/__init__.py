"""The data sets of the experiments, by name."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from experiments.data import cg_digits, cg_mnist, prepared
from experiments.data.fields import Fields
from experiments.errors import UserError

__all__ = ["DATASETS", "DataSet", "Fields", "load"]


@dataclass(frozen=True)
class DataSet:
    """What there is to know about a data set before it is loaded.

    Attributes:
        name: its name on the command line.
        arrays: makes it in memory from the folder of its files (ignored if it needs none).
        builder: the module and class in `builders` that prepares it on disk.
        needs_files: whether it is made from files rather than from an installed package.
        modalities: the fields that hold its inputs.
        num_classes: labels are 0 to `num_classes - 1`.
    """

    name: str
    arrays: Callable[[str | Path | None], dict[str, Fields]]
    builder: str
    needs_files: bool
    modalities: tuple[str, ...] = ("gray", "colour")
    num_classes: int = 10


DATASETS = {
    dataset.name: dataset
    for dataset in (
        DataSet("cg-digits", lambda _: cg_digits.arrays(), "cg_digits.CgDigits", needs_files=False),
        DataSet("cg-mnist", cg_mnist.arrays, "cg_mnist.CgMnist", needs_files=True),
    )
}
"""Every data set, by name."""


def load(
    name: str, data_dir: str | Path | None = None, prepared_dir: str | Path | None = None
) -> dict[str, Fields]:
    """Load a data set into NumPy arrays.

    Args:
        name: a key of `DATASETS`.
        data_dir: the folder of the files that the set is made from, if it needs any; files that
            it lacks are downloaded there.
        prepared_dir: where TFDS keeps the prepared set, which is written at the first call and
            read at later ones, without `data_dir`. By default the set is made in memory, which
            gives the same arrays and does not import `tensorflow_datasets`.

    Returns:
        `train` and `test`, each with an array per field, samples along the first axis: the
        modalities `gray`, uint8 [N, H, W, 1], and `colour`, uint8 [N, H, W, 3]; and `label`,
        int32 [N].

    Raises:
        UserError: the name is unknown; files are missing, damaged, or cannot be downloaded; the
            prepared set is damaged or cannot be written.

    Example:
        >>> load("cg-digits")["test"]["gray"].shape
        (500, 8, 8, 1)
    """
    if name not in DATASETS:
        raise UserError(f"unknown data set {name!r}: choose one of {', '.join(sorted(DATASETS))}")
    dataset = DATASETS[name]
    if prepared_dir is None:
        return dataset.arrays(data_dir)
    return prepared.arrays(dataset.builder, prepared_dir, data_dir)
