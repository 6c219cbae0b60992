"""A miniature Kinetics-Sounds: two training clips and a test clip of each class.

The class can be told from the pitch and from the colour.
"""

import colorsys
from pathlib import Path

from miniatures import media

HEADER = "label,youtube_id,time_start,time_end,split"

# The miniature's own copy: it stands for files that others wrote.
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


def write(folder: Path, *, splits=("train", "train", "validate"), seconds=2, folders=False) -> None:
    """Write the videos, in folders of their classes or not, and the annotations."""
    rows = []
    for index, label in enumerate(CLASSES):
        for number, split in enumerate(splits):
            identifier = f"a-_{index:04d}{number:04d}"
            start = 10 * number
            name = f"{identifier}_{start:06d}_{start + seconds:06d}.mp4"
            home = folder / "videos" / label.replace(" ", "_") if folders else folder / "videos"
            video(home / name, index, seconds)
            rows.append(f"{label},{identifier},{start},{start + seconds},{split}")
    write_annotations(folder, rows)


def video(path, index, seconds):
    """Write the video of a clip."""
    colour = [255 * channel for channel in colorsys.hsv_to_rgb(index / 31, 0.8, 0.8)]
    media.write(
        path,
        media.plain(colour, 5 * seconds),
        media.sine(150 * (index + 1), seconds, 22_050),
        fps=5,
        rate=22_050,
    )


def write_annotations(folder, rows):
    """Write rows under the header that Kinetics publishes."""
    (folder / "annotations.csv").write_text("\n".join([HEADER, *rows]) + "\n")
