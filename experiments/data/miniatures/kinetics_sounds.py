"""A miniature Kinetics-Sounds: two training clips and a test clip of each class.

The pitch and the color each determine the class.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from experiments.data.miniatures import media

HEADER = "label,youtube_id,time_start,time_end,split"

# A copy, not an import, since the miniature stands for files that others wrote.
CLASSES = (
    "blowing nose",
    "blowing out candles",
    "bowling",
    "chopping wood",
    "dribbling basketball",
    "laughing",
    "mowing lawn",
    "playing accordion",
    "playing bagpipes",
    "playing bass guitar",
    "playing clarinet",
    "playing drums",
    "playing guitar",
    "playing harmonica",
    "playing keyboard",
    "playing organ",
    "playing piano",
    "playing saxophone",
    "playing trombone",
    "playing trumpet",
    "playing violin",
    "playing xylophone",
    "ripping paper",
    "shoveling snow",
    "shuffling cards",
    "singing",
    "stomping grapes",
    "tap dancing",
    "tapping guitar",
    "tapping pen",
    "tickling",
)

AS_PUBLISHED: dict[str, Any] = {"size": (256, 340), "fps": 30, "seconds": 10}
"""The options of ``write`` with which a clip is as large as a real one."""


def write(
    folder: Path,
    *,
    splits: Sequence[str] = ("train", "train", "validate"),
    size: tuple[int, int] = (48, 64),
    fps: int = 5,
    seconds: int = 2,
    folders: bool = False,
) -> None:
    """Write the videos and the annotations of the miniature.

    A clip of each class is encoded; the others of the class are copies of it.

    Args:
      folder: The folder of ``videos`` and ``annotations.csv``.
      splits: The split of each clip of a class.
      size: Height and width of the pictures.
      fps: Pictures per second.
      seconds: Length of a clip.
      folders: Whether the videos are in one folder per class.
    """
    rows = []
    for index, label in enumerate(CLASSES):
        home = folder / "videos" / label.replace(" ", "_") if folders else folder / "videos"
        paths = []
        for number, split in enumerate(splits):
            identifier = f"a-_{index:04d}{number:04d}"
            start, end = 10 * number, 10 * number + seconds
            paths.append(home / f"{identifier}_{start:06d}_{end:06d}.mp4")
            rows.append(f"{label},{identifier},{start},{end},{split}")
        media.write(
            paths[0],
            media.stripes(media.hue(index / len(CLASSES)), fps * seconds, *size),
            media.sine(150 * (index + 1), seconds, 22_050),
            fps=fps,
            rate=22_050,
            codecs=("libx264", "aac"),
        )
        for copy in paths[1:]:
            shutil.copyfile(paths[0], copy)
    write_annotations(folder, rows)


def write_annotations(folder: Path, rows: Iterable[str]) -> None:
    """Write ``annotations.csv`` with the header that Kinetics publishes.

    Args:
      folder: The folder of the file, which must exist.
      rows: The lines below the header, with the cells of ``HEADER`` separated by commas.
    """
    (folder / "annotations.csv").write_text("\n".join([HEADER, *rows]) + "\n")
