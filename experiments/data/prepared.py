"""Data sets prepared on disk: written once by a TFDS builder, then read back into arrays."""

import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from experiments.data.colored_gray import Fields
from experiments.data.exclusive import exclusive
from experiments.errors import UserError

if TYPE_CHECKING:
    from experiments.data.builders import ColoredGray


def arrays(
    builder: str, prepared_dir: str | Path, data_dir: str | Path | None = None
) -> dict[str, Fields]:
    """Read a prepared data set, preparing it first if the folder does not have it.

    The set is written beside its place and renamed when whole. What a killed preparation left is
    removed by the next one; of several processes that need the set, one prepares it and the
    others wait.

    Args:
        builder: the name of a class in `builders`, such as "CgDigits".
        prepared_dir: the folder of prepared data sets.
        data_dir: the folder of the files that the set is made from, where it needs any; used only
            to prepare.

    Returns:
        `train` and `test`, equal byte for byte to what the builder's `arrays` gives.

    Raises:
        UserError: the prepared set is damaged, the folder cannot be written, or the files to
            prepare it from are missing or damaged.

    Example:
        ```
        arrays("CgMnist", "data/prepared", "data/mnist")["train"]["gray"]
        ```
    """
    import tensorflow_datasets as tfds

    from experiments.data import builders

    builder_class = getattr(builders, builder)
    folder = Path(prepared_dir)

    def open_set() -> "ColoredGray":
        return builder_class(data_dir=folder, files_dir=data_dir)

    home = folder / builder_class.name / str(builder_class.VERSION)
    if not home.exists():
        with exclusive(folder):
            for leftover in home.parent.glob("incomplete.*"):
                shutil.rmtree(leftover)
            open_set().download_and_prepare(
                download_config=tfds.download.DownloadConfig(try_download_gcs=False)
            )
    try:
        # TFDS takes a folder without this file for a new set, and raises an error of protobuf's
        # own where the file is damaged.
        json.loads((home / "dataset_info.json").read_text())
        opened = open_set()
        return {split: _read_split(opened, split) for split in ("train", "test")}
    except (RuntimeError, LookupError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"the prepared data set is damaged ({reason}): delete the folder {home} "
            "and it is prepared again"
        ) from error


def _read_split(builder: "ColoredGray", split: str) -> Fields:
    import tensorflow_datasets as tfds
    from tqdm import tqdm

    # Pillow decodes the PNG bytes here because TFDS's own decoding takes half as long again.
    source = builder.as_data_source(
        split,
        decoders={name: tfds.decode.SkipDecoding() for name in ("gray", "colour")},
    )
    count = len(source)
    fields = {
        "gray": np.empty((count, *builder.info.features["gray"].shape), np.uint8),
        "colour": np.empty((count, *builder.info.features["colour"].shape), np.uint8),
        "label": np.empty(count, np.int32),
    }
    batch = 1024
    with tqdm(total=count, desc=f"Reading {builder.name} {split}", leave=False) as bar:
        for start in range(0, count, batch):
            samples = source.__getitems__(range(start, min(start + batch, count)))
            for index, sample in enumerate(samples, start):
                fields["gray"][index, ..., 0] = _pixels(sample["gray"])
                fields["colour"][index] = _pixels(sample["colour"])
                fields["label"][index] = sample["label"]
            bar.update(len(samples))
    return fields


def _pixels(png: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)))
