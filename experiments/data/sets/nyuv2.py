"""NYUv2 as the multi-task benchmark distributes it: segmentation and depth of indoor scenes.

The files are SPLIT/FIELD/NUMBER.npy, with the splits ``train`` and ``val`` (or ``test``) and the
fields ``image``, ``label`` and ``depth``. Other fields, such as ``normal``, are not read.

Source: Silberman et al., "Indoor segmentation and support inference from RGBD images", ECCV 2012;
the 288 x 384 files and 13 classes of Liu, Johns and Davison, "End-to-end multi-task learning with
attention", CVPR 2019, and their later augmentation.
"""

import dataclasses
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.config import PAPER
from experiments.data._dataset import DataSet, multitask
from experiments.data.media.images import png
from experiments.data.media.scaling import unit
from experiments.data.storage.lfs import refuse_pointer
from experiments.data.storage.recipe import Examples, Recipe
from experiments.data.storage.samples import Transforms
from experiments.errors import UserError
from experiments.tasks import Depth, Segmentation

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder

HEIGHT, WIDTH = 288, 384

NUM_CLASSES = 13

IGNORED = -1
"""The label of a pixel without a class."""

FIELDS = ("image", "label", "depth")

SHAPES = {"image": (HEIGHT, WIDTH, 3), "label": (HEIGHT, WIDTH), "depth": (HEIGHT, WIDTH, 1)}

FOLDERS = {"train": ("train",), "test": ("val", "test")}
"""Possible names of the folder of a split."""

SCALES = (1.0, 1.2, 1.5)
"""Possible magnifications of a training sample."""


@dataclass(frozen=True)
class Scene:
    """The files of a scene.

    Attributes:
      number: Its number in the split.
      files: The existing files by field.
    """

    number: int
    files: dict[str, Path]


def scenes(data_dir: str | Path | None, split: str) -> Iterator[Scene]:
    """Find the scenes of a split, in the order of their numbers.

    Args:
      data_dir: The folder of ``train`` and of ``val`` or ``test``.
      split: ``train`` or ``test``.

    Yields:
      Each scene that has any file.

    Raises:
      UserError: If no folder is named; the folder of the split or of a field is missing; there are
        both ``val`` and ``test``; or the name of a file is not a number.
    """
    if data_dir is None:
        raise UserError("nyuv2 is made from its .npy files: name their folder with --data-dir")
    files: dict[int, dict[str, Path]] = {}
    for field in FIELDS:
        for number, path in _numbered(_split_folder(Path(data_dir), split) / field).items():
            files.setdefault(number, {})[field] = path
    for number in sorted(files):
        yield Scene(number, files[number])


def _split_folder(folder: Path, split: str) -> Path:
    found = [folder / name for name in FOLDERS[split] if (folder / name).is_dir()]
    if not found:
        raise UserError(f"{folder} has no folder {' or '.join(FOLDERS[split])}: get the whole set")
    if len(found) > 1:
        raise UserError(f"{folder} has both {' and '.join(FOLDERS[split])}: leave one of them")
    return found[0]


def _numbered(folder: Path) -> dict[int, Path]:
    if not folder.is_dir():
        raise UserError(f"{folder} is missing: a split has the folders {', '.join(FIELDS)}")
    paths = list(folder.glob("*.npy"))
    for path in paths:
        if not path.stem.isdecimal():
            raise UserError(f"{path} is not called NUMBER.npy: rename it or move it away")
    return {int(path.stem): path for path in paths}


def read(files: dict[str, Path]) -> dict[str, np.ndarray]:
    """Read the three files of a scene.

    Args:
      files: The files by field.

    Returns:
      ``image``, uint8 [288, 384, 3]: the file's intensities in [0, 1] times 255, rounded, which
      changes none by more than 1/510. ``segmentation``, int8 [288, 384]: classes 0 to 12, and -1
      for pixels without a class. ``depth``, float32 [288, 384, 1], in meters, 0 where it is
      unknown.

    Raises:
      UserError: If a file is a pointer of Git LFS, is damaged, has another shape or values outside
        these ranges, or contains Python objects, which are not unpickled.
    """
    image, label, depth = (_checked(field, files[field]) for field in FIELDS)
    return {
        "image": np.rint(image * 255).astype(np.uint8),
        "segmentation": label.astype(np.int8),
        "depth": depth.astype(np.float32),
    }


def _checked(field: str, path: Path) -> np.ndarray:
    refuse_pointer(path)
    try:
        with open(path, "rb") as file:
            array = np.lib.format.read_array(file, allow_pickle=False)
        _check(field, array)
    except Exception as error:  # a damaged header raises nearly any kind
        reason = " ".join(str(error).split())
        raise UserError(f"{path} cannot be used ({reason}): get it again") from error
    return array


def _check(field: str, array: np.ndarray) -> None:
    if array.dtype.kind not in "iuf":
        raise ValueError("it has no numbers")
    if array.shape != SHAPES[field]:
        raise ValueError(f"its shape is {array.shape}, not {SHAPES[field]}")
    if field == "image" and not ((array >= 0) & (array <= 1)).all():
        raise ValueError("it has intensities beyond 0 to 1")
    if field == "label" and not np.isin(array, np.arange(IGNORED, NUM_CLASSES)).all():
        raise ValueError(f"it has labels other than {IGNORED} to {NUM_CLASSES - 1}")
    if field == "depth" and not ((array >= 0) & np.isfinite(array)).all():
        raise ValueError("it has depths that are negative or not finite")


def training(example: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Make a training sample: magnified by a random scale, and mirrored with probability 1/2.

    The scale is 1, 1.2 or 1.5. A random crop, whose height and width are those of the scene divided
    by the scale, is resized to the size of the scene: the image bilinearly, segmentation and depth
    by the nearest pixel. Depth is divided by the scale. All three treat pixels as squares, as
    Pillow does, so that they stay aligned; the benchmark aligns the corner pixels of the image,
    which is off by up to a pixel.

    Args:
      example: ``image``, a PNG file of 288 x 384; ``segmentation``, int8 [288, 384]; ``depth``,
        float32 [288, 384, 1].
      rng: Source of randomness.

    Returns:
      ``image``, uint8 [288, 384, 3]; ``segmentation``, int32 [288, 384], -1 for ignored pixels;
      ``depth``, float32 [288, 384, 1], 0 for ignored pixels.

    Examples:
      >>> file = io.BytesIO()
      >>> from PIL import Image
      >>> Image.new("RGB", (384, 288)).save(file, "PNG")
      >>> example = {
      ...     "image": file.getvalue(),
      ...     "segmentation": np.zeros((288, 384), np.int8),
      ...     "depth": np.full((288, 384, 1), 3, np.float32),
      ... }
      >>> training(example, np.random.default_rng(0))["depth"][0, 0]
      array([2.], dtype=float32)
    """
    from PIL import Image

    sample = evaluation(example)
    scale = SCALES[rng.integers(len(SCALES))]
    height, width = round(HEIGHT / scale), round(WIDTH / scale)
    top = int(rng.integers(HEIGHT - height + 1))
    left = int(rng.integers(WIDTH - width + 1))
    crop = Image.fromarray(sample["image"][top : top + height, left : left + width])
    image = crop.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    rows = top + _nearest(HEIGHT, height)[:, None]
    columns = left + _nearest(WIDTH, width)
    sample = {
        "image": np.asarray(image),
        "segmentation": sample["segmentation"][rows, columns],
        "depth": sample["depth"][rows, columns] / np.float32(scale),
    }
    if rng.random() < 0.5:
        sample = {name: np.ascontiguousarray(field[:, ::-1]) for name, field in sample.items()}
    return sample


def _nearest(size: int, cropped: int) -> np.ndarray:
    """Return for each pixel of a resized crop the pixel of the crop that contains its center.

    Args:
      size: Pixels of the resized crop along an axis.
      cropped: Pixels of the crop along that axis.

    Returns:
      Indices from 0 to ``cropped - 1``, int64 [size].
    """
    return ((np.arange(size) + 0.5) * cropped / size).astype(np.int64)


def evaluation(example: dict[str, Any]) -> dict[str, Any]:
    """Make an evaluation sample: the unchanged scene.

    Args:
      example: A stored scene, as for ``training``.

    Returns:
      The same fields as ``training`` returns.
    """
    from PIL import Image

    return {
        "image": np.asarray(Image.open(io.BytesIO(example["image"]))),
        "segmentation": np.asarray(example["segmentation"], np.int32),
        "depth": np.asarray(example["depth"], np.float32),
    }


def _features() -> dict[str, Any]:
    import tensorflow_datasets as tfds

    return {
        "image": tfds.features.Image(shape=(HEIGHT, WIDTH, 3)),
        "segmentation": tfds.features.Tensor(shape=(HEIGHT, WIDTH), dtype=np.int8, encoding="zlib"),
        "depth": tfds.features.Tensor(shape=(HEIGHT, WIDTH, 1), dtype=np.float32, encoding="zlib"),
    }


def _examples(builder: "RecipeBuilder") -> Mapping[str, Examples]:
    return {split: _whole(builder, split) for split in ("train", "test")}


def _whole(builder: "RecipeBuilder", split: str) -> Examples:
    """Yield the scenes of a split that have all three files.

    Raises:
      UserError: As for :func:`scenes` and :func:`read`; or if no scene has all three files.
    """
    is_empty = True
    for scene in scenes(builder.files_dir, split):
        missing = [field for field in FIELDS if field not in scene.files]
        if missing:
            builder.skip(split, f"{scene.number}.npy", f"without {' and '.join(missing)}")
            continue
        fields = read(scene.files)
        is_empty = False
        yield scene.number, {**fields, "image": io.BytesIO(png(fields["image"]))}
    if is_empty:
        raise UserError(
            f"no {split} scene in {builder.files_dir} has an image, a label and a depth: "
            "get the whole set"
        )


DATASET = DataSet(
    name="nyuv2",
    kind="scenes",
    modalities={"image": unit},
    objectives=multitask({"segmentation": Segmentation(NUM_CLASSES), "depth": Depth()}),
    recipe=Recipe(
        "nyuv2", "Indoor scenes with the class and the depth of each pixel.", _features, _examples
    ),
    transforms=Transforms(training, evaluation),
    model="segnet",
    # Batch size and epochs of the benchmark that the paper uses (Liu et al. 2019).
    optimization=dataclasses.replace(PAPER, batch_size=2, epochs=200),
)
