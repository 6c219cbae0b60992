"""ModelNet40 as rendered views: the front and the back of an object, two modalities.

The files are the multi-view renderings, CLASS/SPLIT/OBJECT_VIEW, with either of the names in
circulation: ``airplane/train/airplane_0001.obj.shaded_v001.png`` or
``airplane/train/airplane_0001_001.png`` (or ``.jpg``). There are 12 views, 30 degrees apart around
the object, or every second, third or sixth of them.

Source: Wu et al., "3D ShapeNets: a deep representation for volumetric shapes", CVPR 2015; the
renderings of Su et al., "Multi-view convolutional neural networks for 3D shape recognition",
ICCV 2015.
"""

import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.config import PAPER
from experiments.data._dataset import DataSet, Scaling, multimodal
from experiments.data.media.images import ImageError, decoded, evaluation_view
from experiments.data.media.scaling import imagenet
from experiments.data.storage.lfs import refuse_pointer
from experiments.data.storage.recipe import Example, Examples, Recipe
from experiments.data.storage.samples import Transforms
from experiments.errors import UserError

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder

CLASSES = (
    "airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car", "chair", "cone",
    "cup", "curtain", "desk", "door", "dresser", "flower_pot", "glass_box", "guitar", "keyboard",
    "lamp", "laptop", "mantel", "monitor", "night_stand", "person", "piano", "plant", "radio",
    "range_hood", "sink", "sofa", "stairs", "stool", "table", "tent", "toilet", "tv_stand", "vase",
    "wardrobe", "xbox",
)  # fmt: skip
"""The 40 classes in alphabetical order; a label is an index into them."""

SPLITS = ("train", "test")

NUM_VIEWS = (2, 4, 6, 12)
"""The possible numbers of views of an object: all, or a regular choice with opposite views."""

VIEW = re.compile(r"(?P<name>.+?)(?:\.obj\.shaded_v|_)(?P<view>\d+)\.(?:png|jpg)")


@dataclass(frozen=True)
class Object:
    """The files of an object.

    Attributes:
      name: Its class and name, such as airplane/airplane_0001.
      label: Its class, 0 to 39.
      front: The first view, or None if there is no such file.
      back: The opposite view, or None.
    """

    name: str
    label: int
    front: Path | None
    back: Path | None


def objects(data_dir: str | Path | None, split: str) -> Iterator[Object]:
    """Find the objects of a split, class by class, in the order of their names.

    The front is the first view and the back is the opposite one: the first and the seventh of 12.
    Their numbers are determined from all files of the folder together, so views may be counted from
    0 or from 1 and an object may lack some.

    Args:
      data_dir: The folder of the 40 class folders.
      split: ``train`` or ``test``.

    Yields:
      Each object that has any view.

    Raises:
      UserError: If no folder is named; a class folder is missing, or there is one that is none of
        the 40; a class has no image in a split; an image has another name; or the views of all
        objects together are not 2, 4, 6 or 12 at equal distances.
    """
    if data_dir is None:
        raise UserError("modelnet40 is made from rendered views: name their folder with --data-dir")
    folder = Path(data_dir)
    _check_classes(folder)
    views = {(name, part): _views(folder / name / part) for name in CLASSES for part in SPLITS}
    front, back = _front_and_back(folder, views)
    for label, name in enumerate(CLASSES):
        for item, files in sorted(views[name, split].items()):
            yield Object(f"{name}/{item}", label, files.get(front), files.get(back))


def _check_classes(folder: Path) -> None:
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder: name that of the 40 classes of ModelNet40")
    found = {path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."}
    missing = [name for name in CLASSES if name not in found]
    if missing:
        raise UserError(
            f"{folder} lacks the classes {', '.join(missing)}: it must have all 40 of ModelNet40"
        )
    unknown = sorted(found.difference(CLASSES))
    if unknown:
        raise UserError(
            f"{folder} has the folders {', '.join(unknown)}, which are no classes of ModelNet40: "
            "move them away"
        )


def _views(folder: Path) -> dict[str, dict[int, Path]]:
    """Return the images in the folder of a class and split, by object and by number of the view.

    Raises:
      UserError: If the name of an image does not have a view, or there is no image.
    """
    views: dict[str, dict[int, Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix not in (".png", ".jpg"):
            continue
        match = VIEW.fullmatch(path.name)
        if match is None:
            raise UserError(
                f"{path} is not called OBJECT_VIEW.png or OBJECT.obj.shaded_vVIEW.png: "
                "rename it or move it away"
            )
        views.setdefault(match["name"], {})[int(match["view"])] = path
    if not views:
        raise UserError(f"{folder} has no image: every class must have images in train and in test")
    return views


def _front_and_back(folder: Path, views: dict[Any, dict[str, dict[int, Path]]]) -> tuple[int, int]:
    numbers = sorted(
        {number for part in views.values() for item in part.values() for number in item}
    )
    if len(numbers) not in NUM_VIEWS or len(set(np.diff(numbers))) != 1:
        raise UserError(
            f"the views in {folder} are numbered {', '.join(map(str, numbers[:20]))}: "
            "they must be 12 around the object, or every second, third or sixth of those"
        )
    return numbers[0], numbers[len(numbers) // 2]


def training(example: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Make a training sample: each view is mirrored independently with probability 1/2.

    Views are not cropped: the renderings fill the image, and published work does not crop them.

    Args:
      example: ``front`` and ``back``, image files; ``label``.
      rng: Source of randomness.

    Returns:
      ``front`` and ``back``, uint8 [224, 224, 3]; ``label``, int32 [].

    Examples:
      >>> from experiments.data.media.images import jpeg
      >>> from PIL import Image
      >>> file = jpeg(Image.new("L", (224, 224)))
      >>> sample = training({"front": file, "back": file, "label": 3}, np.random.default_rng(0))
      >>> sample["front"].shape
      (224, 224, 3)
    """
    sample = evaluation(example)
    for view in ("front", "back"):
        if rng.random() < 0.5:
            sample[view] = np.ascontiguousarray(sample[view][:, ::-1])
    return sample


def evaluation(example: dict[str, Any]) -> dict[str, Any]:
    """Make an evaluation sample: gray images become RGB, and all sizes become 224 x 224.

    Args:
      example: A stored object, as for ``training``.

    Returns:
      The same fields as ``training`` returns.

    Examples:
      >>> from experiments.data.media.images import jpeg
      >>> from PIL import Image
      >>> file = jpeg(Image.new("L", (224, 224)))
      >>> evaluation({"front": file, "back": file, "label": 3})["label"]
      array(3, dtype=int32)
    """
    return {
        "front": evaluation_view(decoded(example["front"])),
        "back": evaluation_view(decoded(example["back"])),
        "label": np.asarray(example["label"], np.int32),
    }


def _features() -> dict[str, Any]:
    import tensorflow_datasets as tfds

    return {
        "front": tfds.features.Image(shape=(None, None, 3)),
        "back": tfds.features.Image(shape=(None, None, 3)),
        "label": tfds.features.ClassLabel(names=CLASSES),
    }


def _examples(builder: "RecipeBuilder") -> Mapping[str, Examples]:
    return {split: _usable(builder, split) for split in SPLITS}


def _usable(builder: "RecipeBuilder", split: str) -> Examples:
    """Yield the objects of a split that have both views, with unchanged image files.

    An object is left out if it lacks one of the two views, or if one cannot be decoded.

    Raises:
      UserError: As for :func:`objects`; or if a view is a pointer of Git LFS, or no object of a
        class can be used.
    """
    kept = set()
    for item in objects(builder.files_dir, split):
        example = _example(builder, item, split)
        if example is not None:
            kept.add(item.label)
            yield item.name, example
    lost = [name for label, name in enumerate(CLASSES) if label not in kept]
    if lost:
        raise UserError(
            f"no {split} object of {', '.join(lost)} in {builder.files_dir} has both views in "
            "files that can be decoded: get the renderings again"
        )


def _example(builder: "RecipeBuilder", item: Object, split: str) -> Example | None:
    if item.front is None or item.back is None:
        builder.skip(split, item.name, f"without its {'back' if item.front else 'front'} view")
        return None
    for path in (item.front, item.back):
        refuse_pointer(path)
    try:
        files = {"front": item.front.read_bytes(), "back": item.back.read_bytes()}
        for file in files.values():
            decoded(file)
    except ImageError as problem:
        builder.skip(split, item.name, f"with a view {problem}")
        return None
    except Exception:  # Pillow raises nearly any kind for a damaged file
        builder.skip(split, item.name, "with a damaged view")
        return None
    return {view: io.BytesIO(file) for view, file in files.items()} | {"label": item.label}


_MODALITIES: Mapping[str, Scaling] = {"front": imagenet, "back": imagenet}

DATASET = DataSet(
    name="modelnet40",
    kind="images",
    modalities=_MODALITIES,
    objectives=multimodal(_MODALITIES, len(CLASSES)),
    recipe=Recipe(
        "modelnet40",
        "Objects of 40 classes, rendered from the front and from the back.",
        _features,
        _examples,
    ),
    transforms=Transforms(training, evaluation),
    model="resnet18",
    optimization=PAPER,
)
