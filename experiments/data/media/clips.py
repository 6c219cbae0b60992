"""The description of a clip of sound and pictures before it is decoded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import UserError


@dataclass(frozen=True)
class Clip:
    """The files of the sound and the pictures of a sample.

    Attributes:
      name: Its name, unique in the data set.
      label: The name of its class.
      audio: The file of its sound.
      video: The file of its pictures, which may be the same.
    """

    name: str
    label: str
    audio: Path
    video: Path


class ClipError(Exception):
    """The error of a clip that cannot be used; its message is why the clip is left out.

    The reason completes a sentence about the clip, such as "missing", "unreadable" or "without
    audio". It is the same for all clips with the same problem, since they are counted by reason.
    """


def check(
    splits: Mapping[str, Sequence[Clip]], classes: Iterable[str], folder: Path, layout: str
) -> None:
    """Raise an error for clips that do not form a data set, before any is decoded.

    Args:
      splits: The clips of each split.
      classes: The names of the classes.
      folder: The folder of the clips.
      layout: Description of the expected files, for the error message.

    Raises:
      UserError: If a split has no clip of some class, or if the files of all clips are missing.
        Single missing files are found when the clips are decoded.

    Examples:
      >>> clip = Clip("a", "dog", Path("a.wav"), Path("a.flv"))
      >>> check({"train": [clip]}, ["dog", "cat"], Path("data"), "*.wav")
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: the train split of data has no clip of cat
    """
    for split, clips in splits.items():
        if absent := sorted(set(classes) - {clip.label for clip in clips}):
            raise UserError(f"the {split} split of {folder} has no clip of {', '.join(absent)}")
    every = (clip for clips in splits.values() for clip in clips)
    if not any(clip.audio.exists() or clip.video.exists() for clip in every):
        raise UserError(f"{folder} holds no file of a listed clip: expected {layout}")
