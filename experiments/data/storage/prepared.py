"""Prepared data sets: written to disk once by a TFDS builder, and read from there."""

import io
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.data.storage.exclusive import exclusive
from experiments.data.storage.fields import Fields
from experiments.data.storage.lfs import refuse_pointer
from experiments.data.storage.recipe import Recipe
from experiments.errors import UserError, of_system, quoted

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder


def prepare(
    recipe: Recipe,
    prepared_dir: str | Path,
    data_dir: str | Path | None = None,
    workers: int = 0,
) -> "RecipeBuilder":
    """Open a prepared data set, and prepare it first if the folder does not have it.

    The set is written under a temporary name and renamed when it is complete. The next preparation
    removes the files of one that was killed. If several processes need the set, one prepares it and
    the others wait. The number of samples that are left out, and the reasons, are printed to
    standard error; the set keeps the list in ``metadata.json``.

    Args:
      recipe: The recipe of the data set.
      prepared_dir: The folder of prepared data sets.
      data_dir: The folder of the files that the set is made from, if it needs any. It is used only
        to prepare.
      workers: Number of processes that decode clips. 0 by default.

    Returns:
      The builder of the prepared set.

    Raises:
      UserError: If the folder cannot be written or the disk is full; the files are missing, damaged
        or pointers of Git LFS; the prepared set is damaged; or the number of workers is negative.
    """
    import tensorflow_datasets as tfds

    from experiments.data.storage.builder import RecipeBuilder

    if workers < 0:
        raise UserError(f"workers must not be negative, got {workers}")
    folder = Path(prepared_dir)

    def open_set() -> "RecipeBuilder":
        return RecipeBuilder(recipe, folder, data_dir, workers)

    home = _home(recipe, folder)
    if not home.exists():
        with exclusive(folder):
            for leftover in home.parent.glob("incomplete.*"):
                shutil.rmtree(leftover)
            preparing = open_set()
            try:
                preparing.download_and_prepare(
                    download_config=tfds.download.DownloadConfig(try_download_gcs=False)
                )
            except BaseException as error:
                downloads = folder / "downloads"  # made by TFDS but not used
                for made in (home.parent, downloads / "extracted", downloads):
                    with suppress(OSError):  # other sets and versions stay
                        made.rmdir()
                if isinstance(error, RuntimeError) and (of_the_system := quoted(error)):
                    raise of_system(of_the_system, f"cannot write to {folder}") from error
                raise
            if report := skipped(preparing):
                print(report, file=sys.stderr)
    for path in home.iterdir():
        refuse_pointer(path)
    with reporting_damage(home):
        # Without this file TFDS would make a new set; a damaged one would raise a protobuf error.
        json.loads((home / "dataset_info.json").read_text())
        return open_set()


def is_prepared(recipe: Recipe, prepared_dir: str | Path) -> bool:
    """Return whether the folder of prepared data sets has the set of a recipe, in its version."""
    return _home(recipe, Path(prepared_dir)).exists()


def skipped(opened: "RecipeBuilder") -> str:
    """Return a line on the number of samples that a prepared set leaves out, with the reasons.

    The line is "" if there are none.
    """
    left_out = (opened.info.metadata or {}).get("skipped", [])
    if not left_out:
        return ""
    kept = sum(split.num_examples for split in opened.info.splits.values())
    reasons = Counter(sample["reason"] for sample in left_out).most_common()
    return (
        f"{opened.name}: left out {len(left_out)} of {kept + len(left_out)} samples "
        f"({'; '.join(f'{count} {reason}' for reason, count in reasons)}); "
        f"{Path(opened.data_path) / 'metadata.json'} lists them"
    )


def arrays(
    recipe: Recipe, prepared_dir: str | Path, data_dir: str | Path | None = None
) -> dict[str, Fields]:
    """Read a prepared data set into memory, and prepare it first if the folder does not have it.

    Args:
      recipe: A recipe made by ``from_arrays.recipe``.
      prepared_dir: The folder of prepared data sets.
      data_dir: The folder of the files that the set is made from, if it needs any. It is used only
        to prepare.

    Returns:
      The splits "train" and "test", equal byte for byte to the arrays that were written.

    Raises:
      UserError: As for ``prepare``.
    """
    opened = prepare(recipe, prepared_dir, data_dir)
    with reporting_damage(opened.data_path):
        return {split: _read_split(opened, split) for split in ("train", "test")}


def _home(recipe: Recipe, folder: Path) -> Path:
    return folder / recipe.name / recipe.version


@contextmanager
def reporting_damage(home: str | Path) -> Iterator[None]:
    """Turn read errors of a prepared set into a :class:`UserError` that says it is damaged.

    Args:
      home: The folder of the set.

    Raises:
      UserError: If the block raised an error that TFDS and its readers raise for damaged files.
    """
    try:
        yield
    except (RuntimeError, LookupError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise UserError(
            f"the prepared data set is damaged ({reason}): delete the folder {home} "
            "to prepare it again"
        ) from error


def _read_split(builder: "RecipeBuilder", split: str) -> Fields:
    import tensorflow_datasets as tfds
    from tqdm import tqdm

    features = builder.info.features
    images = [name for name in features if isinstance(features[name], tfds.features.Image)]
    # Pillow decodes the PNG bytes here, since TFDS's own decoding takes 1.5 times as long.
    source = builder.as_data_source(
        split, decoders={name: tfds.decode.SkipDecoding() for name in images}
    )
    count = len(source)
    first = source[0]
    fields = {
        name: np.empty((count, *_shape(feature, first[name])), _dtype(feature))
        for name, feature in features.items()
    }
    batch = 1024
    with tqdm(total=count, desc=f"Reading {builder.name} {split}", leave=False) as bar:
        for start in range(0, count, batch):
            samples = source.__getitems__(range(start, min(start + batch, count)))
            for index, sample in enumerate(samples, start):
                for name, value in sample.items():
                    pixels = _pixels(value) if name in images else value
                    fields[name][index] = np.reshape(pixels, fields[name].shape[1:])
            bar.update(len(samples))
    return fields


def _shape(feature: Any, value: Any) -> tuple[int, ...]:
    """Return the shape of a TFDS feature, or of a sample's value if the feature leaves it open."""
    return np.shape(value) if None in feature.shape else feature.shape


def _dtype(feature: Any) -> np.dtype:
    """Return the NumPy dtype of a TFDS feature, but int32 for labels, which TFDS calls int64."""
    import tensorflow_datasets as tfds

    return np.dtype(np.int32 if isinstance(feature, tfds.features.ClassLabel) else feature.np_dtype)


def _pixels(png: bytes) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(png)))
