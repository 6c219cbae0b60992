"""A miniature CREMA-D: one short clip for each actor and emotion.

The pitch and the color each determine the emotion.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments.data.miniatures import media

EMOTIONS = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
ACTORS = (1001, 1002, 1005)

AS_PUBLISHED: dict[str, Any] = {"size": (360, 480), "fps": 30, "seconds": 2.5}
"""The options of ``write`` with which a clip is as large as a real one."""


def write(
    folder: Path,
    *,
    actors: Sequence[int] = ACTORS,
    size: tuple[int, int] = (48, 64),
    fps: int = 10,
    seconds: float = 1.7,
    lists: bool = False,
) -> None:
    """Write the sounds and videos of the miniature, and the lists of its splits if asked for.

    A clip of each emotion is encoded; the clips of all actors are copies of it.

    Args:
      folder: The folder of ``AudioWAV`` and ``VideoFlash``.
      actors: Numbers of four digits. In the split by actor, multiples of 5 are the test split.
      size: Height and width of the pictures.
      fps: Pictures per second.
      seconds: Length of a clip.
      lists: Whether to write ``train.csv`` and ``test.csv``; the last actor is the test split.
    """
    for index, emotion in enumerate(EMOTIONS):
        first, *others = (_files(folder, _name(actor, emotion)) for actor in actors)
        pitch = 200 * (index + 1)
        pictures = media.stripes(media.hue(index / len(EMOTIONS)), round(fps * seconds), *size)
        waveform, video = first
        sound = media.sine(pitch, seconds, 16_000)
        media.write(waveform, samples=sound, codecs=(None, "pcm_s16le"))
        sound = media.sine(pitch, seconds, 22_050)
        media.write(video, pictures, sound, fps=fps, rate=22_050, codecs=("flv", "libmp3lame"))
        for copies in others:
            for file, copy in zip(first, copies, strict=True):
                shutil.copyfile(file, copy)
    if lists:
        for split, members in (("train", actors[:-1]), ("test", actors[-1:])):
            names = [_name(actor, emotion) for actor in members for emotion in EMOTIONS]
            write_list(folder / f"{split}.csv", names)


def _name(actor: int, emotion: str) -> str:
    return f"{actor}_DFA_{emotion}_XX"


def _files(folder: Path, name: str) -> tuple[Path, Path]:
    return folder / "AudioWAV" / f"{name}.wav", folder / "VideoFlash" / f"{name}.flv"


def write_list(path: Path, names: Iterable[str]) -> None:
    """Write a list of clips as earlier work publishes it: a line ``NAME,EMOTION`` for each clip.

    Args:
      path: The file.
      names: The names of the clips, such as "1001_DFA_ANG_XX".
    """
    path.write_text("".join(f"{name},{name.split('_')[2]}\n" for name in names))
