"""Recipe and transforms of the data sets of clips, which are decoded in several processes."""

import functools
import io
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from experiments.data.media import decoding, video
from experiments.data.media.clips import Clip, ClipError
from experiments.data.storage.fields import Fields
from experiments.data.storage.recipe import Example, Examples, Recipe
from experiments.data.storage.samples import Transforms
from experiments.errors import UserError

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder

AnyClip = TypeVar("AnyClip", bound=Clip)

VERSION = "1.1.0"
"""The version of sets of clips. In 1.0.0, pictures could be rotated and recordings uncut."""


def recipe(
    name: str,
    description: str,
    classes: Sequence[str],
    examples: Callable[["RecipeBuilder"], Mapping[str, Examples]],
) -> Recipe:
    """Return the recipe of a set of clips.

    Args:
      name: The folder of the prepared set.
      description: One line about the set.
      classes: The names of the classes, in the order of the labels.
      examples: Function that returns the samples of "train" and "test" from the files of the
        builder; it calls the function ``examples`` of this module.
    """
    return Recipe(name, description, functools.partial(features, classes), examples, VERSION)


def features(classes: Sequence[str]) -> dict[str, Any]:
    """Return the TFDS feature specification of a stored clip, by field.

    Args:
      classes: The names of the classes, in the order of the labels.
    """
    import tensorflow_datasets as tfds

    return {
        "waveform": tfds.features.Tensor(shape=(None,), dtype=np.int16, encoding="bytes"),
        "frames": tfds.features.Sequence(
            tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg")
        ),
        "label": tfds.features.ClassLabel(names=classes),
        "clip": tfds.features.Text(),
    }


def examples(
    builder: "RecipeBuilder",
    splits: Mapping[str, Sequence[AnyClip]],
    decode: Callable[[AnyClip], Example],
) -> Mapping[str, Examples]:
    """Return the usable clips of each split, in their order.

    Args:
      builder: The builder; its ``skip`` is called for the clips that are left out.
      splits: The clips of "train" and "test".
      decode: Function that makes an example from a clip, or raises :class:`ClipError`, and then the
        clip is left out. It must be a function of a module, so that worker processes can call it.

    Raises:
      UserError: As for ``decoding.in_order``; or if no clip of a class can be used.
    """
    return {split: _usable(builder, split, clips, decode) for split, clips in splits.items()}


def _usable(
    builder: "RecipeBuilder",
    split: str,
    clips: Sequence[AnyClip],
    decode: Callable[[AnyClip], Example],
) -> Examples:
    attempt = functools.partial(decoding.attempt, decode)
    kept = set()
    left_out: dict[str, str] = {}
    for clip, result in zip(clips, decoding.in_order(attempt, clips, builder.workers), strict=True):
        if isinstance(result, ClipError):
            builder.skip(split, clip.name, str(result))
            left_out.setdefault(clip.label, f"{clip.name} is {result}")
            continue
        kept.add(clip.label)
        yield clip.name, result | {"frames": [io.BytesIO(jpeg) for jpeg in result["frames"]]}
    if lost := sorted({clip.label for clip in clips} - kept):
        raise UserError(
            f"no {split} clip of {', '.join(lost)} can be used "
            f"({'; '.join(left_out[label] for label in lost)}): get the files in "
            f"{builder.files_dir} again"
        )


def transforms(sound: Callable[[np.ndarray], np.ndarray], frames: int) -> Transforms:
    """Return the functions that make samples from stored clips.

    A training sample has a random frame from each part of the clip, randomly cropped and flipped;
    an evaluation sample has the whole middle frame of each part. Both have ``audio``, the output of
    ``sound``; ``video``, uint8 ``[frames, 224, 224, 3]``; and ``label``, int32 ``[]``.

    Args:
      sound: Function of a waveform, int16 ``[N]``, that returns what the model hears. It must be a
        function of a module, so that worker processes can call it.
      frames: The number of parts of equal length.
    """
    return Transforms(
        functools.partial(_training, sound, frames), functools.partial(_evaluation, sound, frames)
    )


def _training(
    sound: Callable[[np.ndarray], np.ndarray],
    frames: int,
    example: Mapping[str, Any],
    rng: np.random.Generator,
) -> Fields:
    return _sample(sound, example, video.training_views(example["frames"], frames, rng))


def _evaluation(
    sound: Callable[[np.ndarray], np.ndarray], frames: int, example: Mapping[str, Any]
) -> Fields:
    return _sample(sound, example, video.evaluation_views(example["frames"], frames))


def _sample(
    sound: Callable[[np.ndarray], np.ndarray], example: Mapping[str, Any], views: np.ndarray
) -> Fields:
    return {
        "audio": sound(example["waveform"]),
        "video": views,
        "label": np.asarray(example["label"], np.int32),
    }
