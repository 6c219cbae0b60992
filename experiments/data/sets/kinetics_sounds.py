"""Kinetics-Sounds: ten-second clips of 31 classes of actions that can be seen and heard.

Source: Arandjelovic and Zisserman, "Look, listen and learn", ICCV 2017, which chose 34 classes of
Kinetics (Kay et al., 2017), of which 31 exist in the published Kinetics. The filterbank is that of
the released code of OGM-GE (Peng et al., CVPR 2022), on which MMPareto builds.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.config import PAPER
from experiments.data._dataset import DataSet, Scaling, multimodal
from experiments.data.media import audio, decoding, video
from experiments.data.media.clips import Clip, check
from experiments.data.media.scaling import as_stored, imagenet
from experiments.data.storage import from_clips
from experiments.data.storage.lfs import refuse_pointer
from experiments.data.storage.recipe import Examples
from experiments.data.storage.samples import Transforms
from experiments.errors import UserError

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder

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
"""The names of the classes in Kinetics."""

SPLITS = {"train": "train", "validate": "test", "val": "test", "test": "test"}
"""Our split for each split of Kinetics. Nothing is tuned on the validation clips, so they are test
clips."""

COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split")
"""The columns of ``annotations.csv``, as in the files that Kinetics publishes."""

SUFFIXES = (".mp4", ".mkv", ".webm")
"""The suffixes of video files."""

FRAMES = 3
"""Number of pictures of a sample."""

TIME = 1024
"""Number of frames of the filterbank of a sample: shorter ones are padded, longer ones cut."""

MEAN, STD = -4.503877, 5.141276
"""Mean and standard deviation of the filterbank over a training set. The mean is subtracted from a
sample, and the difference is divided by twice the deviation."""

LAYOUT = "videos/YOUTUBEID_000010_000020.mp4, in class folders or not, and annotations.csv"


@dataclass(frozen=True)
class Segment(Clip):
    """A clip that was cut from a recording, or will be cut from it.

    Attributes:
      start: Its start in the recording, in seconds; 0 for a clip that was cut.
      seconds: Its length.
    """

    start: float
    seconds: float


@dataclass(frozen=True)
class Found:
    """The clips that the annotations of Kinetics-Sounds list.

    Attributes:
      splits: The clips of "train" and "test", in the order of the rows.
      other_classes: The number of rows with classes that are not part of the set.
    """

    splits: dict[str, list[Segment]]
    other_classes: int


def clips(data_dir: str | Path | None) -> Found:
    """List the clips of both splits.

    ``annotations.csv`` has the columns of the files that Kinetics publishes: ``label``,
    ``youtube_id``, ``time_start``, ``time_end``, ``split``. The training clips of Kinetics are the
    training split; its validation and test clips are the test split. Rows of other classes are
    counted and skipped.

    The videos are in ``videos`` or in folders below it; of several with the same name, the first in
    alphabetical order is used. Their names have the start and end in seconds, as in
    ``YOUTUBEID_000010_000020.mp4``, or are ``YOUTUBEID.mp4``.

    Args:
      data_dir: The folder of the videos and the annotations.

    Returns:
      The clips, whose files may be missing.

    Raises:
      UserError: If there are no annotations or no videos; a row is not as expected; a clip is
        listed twice; a class has no clip in some split; or no listed video exists.
    """
    if data_dir is None:
        raise UserError("kinetics-sounds is made from videos: name their folder with --data-dir")
    folder = Path(data_dir)
    videos = _videos(folder / "videos")
    annotations = folder / "annotations.csv"
    splits: dict[str, dict[str, Segment]] = {"train": {}, "test": {}}
    other_classes = 0
    for number, row in _rows(annotations):
        if row["label"] not in CLASSES:
            other_classes += 1
            continue
        try:
            split, segment = SPLITS[row["split"]], _segment(row, videos, folder)
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{annotations}, line {number}: expected a split of {', '.join(SPLITS)} and times "
                f"in seconds; got {','.join(row.values())}"
            ) from error
        if any(segment.name in listed for listed in splits.values()):
            raise UserError(f"{annotations}, line {number}: {segment.name} is listed twice")
        splits[split][segment.name] = segment
    found = {split: list(listed.values()) for split, listed in splits.items()}
    check(found, CLASSES, folder, LAYOUT)
    return Found(found, other_classes)


def _videos(folder: Path) -> dict[str, Path]:
    """Return the video files in a folder and below it, by name without suffix.

    Of several files with the same name, the first in alphabetical order is returned.
    """
    paths = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    return {path.stem: path for path in reversed(paths) if not path.name.startswith(".")}


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    refuse_pointer(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file, restval="")
            missing = set(COLUMNS) - set(rows.fieldnames or ())
            if missing:
                raise UserError(
                    f"{path} has no column {', '.join(sorted(missing))}: its first line must name "
                    f"{','.join(COLUMNS)}"
                )
            return [
                (rows.line_num, {column: row[column].strip() for column in COLUMNS}) for row in rows
            ]
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: expected {LAYOUT}") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error})") from error


def _segment(row: dict[str, str], videos: dict[str, Path], folder: Path) -> Segment:
    start, end = float(row["time_start"]), float(row["time_end"])
    if not 0 <= start < end:
        raise ValueError
    name = f"{row['youtube_id']}_{start:06.0f}_{end:06.0f}"
    absent = folder / "videos" / f"{name}.mp4"
    path = videos.get(name) or videos.get(row["youtube_id"]) or absent
    begins = start if path.stem == row["youtube_id"] else 0.0
    return Segment(name, row["label"], path, path, begins, end - start)


def decode(segment: Segment) -> dict[str, Any]:
    """Decode the file of a clip into a stored example.

    A file whose name has no seconds may be the clip or the whole recording. If it lasts more than a
    second longer than the clip, by its packets and not by its header, the clip is cut out of it.

    Args:
      segment: A clip from ``clips``.

    Returns:
      ``waveform``, int16 [N], at 16 kHz; ``frames``, a JPEG file for each second; ``label``, the
      name of the class; ``clip``, the name of the clip.

    Raises:
      ClipError: If the file is missing or damaged, or without sound or pictures.
    """
    start = segment.start
    if start > 0 and not decoding.lasts_longer(segment.video, segment.seconds + 1):
        start = 0.0
    end = start + segment.seconds
    return {
        "waveform": audio.waveform(segment.audio, audio.FILTERBANK_RATE, start, end),
        "frames": video.each_second(segment.video, start, end),
        "label": segment.label,
        "clip": segment.name,
    }


def _filterbank(waveform: np.ndarray) -> np.ndarray:
    """Return the normalized filterbank, float32 ``[1024, 128, 1]``: time, frequency, channel.

    Args:
      waveform: int16 [N] at 16 kHz. A shorter one than 10.255 s is padded, a longer one cut.
    """
    samples = waveform.astype(np.float32) / 32_768
    energies = audio.log_mel_filterbank(samples - samples.mean())[:TIME]
    padded = np.pad(energies, ((0, TIME - len(energies)), (0, 0)))
    return ((padded - np.float32(MEAN)) / np.float32(2 * STD))[..., None]


training, evaluation = from_clips.transforms(_filterbank, FRAMES)


def _examples(builder: "RecipeBuilder") -> Mapping[str, Examples]:
    """Return the clips of both splits as the recipe writes them.

    Clips whose files are missing, unreadable, or without sound or pictures are left out. The number
    of rows with other classes of Kinetics is stored in the metadata of the prepared set as
    ``other_classes``.
    """
    found = clips(builder.files_dir)
    builder.info.metadata["other_classes"] = found.other_classes
    return from_clips.examples(builder, found.splits, decode)


_MODALITIES: Mapping[str, Scaling] = {"audio": as_stored, "video": imagenet}

DATASET = DataSet(
    name="kinetics-sounds",
    kind="frames",
    modalities=_MODALITIES,
    objectives=multimodal(_MODALITIES, len(CLASSES)),
    recipe=from_clips.recipe(
        "kinetics_sounds",
        "Human actions of 31 classes that can be seen and heard, ten seconds each.",
        CLASSES,
        _examples,
    ),
    transforms=Transforms(training, evaluation),
    model="resnet18",
    optimization=PAPER,
)
