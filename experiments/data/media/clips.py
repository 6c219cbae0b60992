"""What a clip of sound and pictures is, before it is decoded."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.errors import UserError


@dataclass(frozen=True)
class Clip:
    """Where the sound and the pictures of a sample are.

    Attributes:
        name: unique in its data set.
        label: the name of its class.
        audio: the file of its sound.
        video: the file of its pictures, which may be the same.
    """

    name: str
    label: str
    audio: Path
    video: Path


class ClipError(Exception):
    """A clip that cannot be used; the message is the reason under which it is left out.

    The reason completes a sentence about the clip, such as "missing", "unreadable" or "without
    audio", and is the same for all clips of one kind, since they are counted by it.
    """


def check(
    splits: Mapping[str, Sequence[Clip]], classes: Iterable[str], folder: Path, layout: str
) -> None:
    """Refuse clips that make no data set, before any is decoded.

    Args:
        splits: the clips of each split.
        classes: the names of the classes.
        folder: where the clips are.
        layout: the files that are expected there.

    Raises:
        UserError: a split has no clip of some class; no file of any clip is there.

    Example:
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
