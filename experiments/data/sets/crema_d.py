"""CREMA-D: actors who speak a sentence in one of six emotions, in sound and pictures.

Source: Cao et al., "CREMA-D: crowd-sourced emotional multimodal actors dataset", IEEE Transactions
on Affective Computing, 2014. The samples are those of the released code of MMPareto and of OGM-GE
(Peng et al., CVPR 2022), on which it builds, except for the choice of frames (``video.parts``).
"""

import csv
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.config import PAPER
from experiments.data._dataset import DataSet, Scaling, multimodal
from experiments.data.media import audio, video
from experiments.data.media.clips import Clip, check
from experiments.data.media.scaling import as_stored, imagenet
from experiments.data.storage import from_clips
from experiments.data.storage.lfs import refuse_pointer
from experiments.data.storage.recipe import Examples
from experiments.data.storage.samples import Transforms
from experiments.errors import UserError

if TYPE_CHECKING:
    from experiments.data.storage.builder import RecipeBuilder

CLASSES = ("ANG", "DIS", "FEA", "HAP", "NEU", "SAD")
"""Anger, disgust, fear, happiness, neutral and sadness, as in the file names."""

RATE = 22_050
"""The sampling rate of the stored waveforms, in Hz."""

SECONDS = 3
"""Seconds of sound of a sample; shorter waveforms are repeated."""

FRAMES = 2
"""Number of pictures of a sample."""

NAME = re.compile(rf"(?P<actor>\d{{4}})_[A-Z]{{3}}_(?P<emotion>{'|'.join(CLASSES)})_[A-Z]{{1,2}}")
"""The name of a clip: actor, sentence, emotion and level of the emotion, as in 1001_DFA_ANG_XX."""

LAYOUT = "AudioWAV/*.wav and VideoFlash/*.flv, named as 1001_DFA_ANG_XX"


def clips(data_dir: str | Path | None) -> dict[str, list[Clip]]:
    """List the clips of both splits, in the order of the lists, or by name without lists.

    The split is that of ``train.csv`` and ``test.csv`` in the folder, as earlier work publishes
    them: each line has a clip and its emotion, ``1001_DFA_ANG_XX,ANG``, and there is no header.
    Clips in neither list are not part of the set. Without these files, every clip is part of the
    set, and the test split has the actors whose number is a multiple of 5: 18 of 91, none of whom
    is in the training split.

    Args:
      data_dir: The folder of the archive: the waveforms in ``AudioWAV``, the videos in
        ``VideoFlash``.

    Returns:
      The clips of "train" and "test"; their files may be missing.

    Raises:
      UserError: If there is no such archive; a file or a line of a list does not name a clip or its
        emotion; only one of the two lists exists; a clip is listed twice; a split has no clip of
        some emotion; or no file of a listed clip exists.
    """
    if data_dir is None:
        raise UserError("crema-d is made from its archive: name its folder with --data-dir")
    folder = Path(data_dir)
    lists = [folder / "train.csv", folder / "test.csv"]
    given = any(path.exists() for path in lists)
    splits = _by_list(*lists) if given else _by_actor(_found(folder))
    listed = {split: [_clip(folder, name) for name in names] for split, names in splits.items()}
    check(listed, CLASSES, folder, LAYOUT)
    return listed


def _clip(folder: Path, name: str) -> Clip:
    return Clip(
        name,
        _emotion(name),
        audio=folder / "AudioWAV" / f"{name}.wav",
        video=folder / "VideoFlash" / f"{name}.flv",
    )


def _emotion(name: str) -> str:
    match = NAME.fullmatch(name)
    if match is None:
        raise UserError(f"{name!r} does not name a clip of CREMA-D, such as 1001_DFA_ANG_XX")
    return match["emotion"]


def _by_list(train: Path, test: Path) -> dict[str, list[str]]:
    splits = {"train": _listed(train), "test": _listed(test)}
    if twice := set(splits["train"]) & set(splits["test"]):
        raise UserError(f"{min(twice)} is in both {train} and {test}: take it out of one of them")
    return splits


def _found(folder: Path) -> list[str]:
    paths = [*folder.glob("AudioWAV/*.wav"), *folder.glob("VideoFlash/*.flv")]
    names = sorted({path.stem for path in paths if not path.name.startswith(".")})
    if not names:
        raise UserError(f"{folder} does not hold CREMA-D: expected {LAYOUT}")
    return names


def _by_actor(names: list[str]) -> dict[str, list[str]]:
    splits: dict[str, list[str]] = {"train": [], "test": []}
    for name in names:
        _emotion(name)
        splits["test" if int(name[:4]) % 5 == 0 else "train"].append(name)
    return splits


def _listed(path: Path) -> list[str]:
    names: dict[str, None] = {}
    for number, row in _rows(path):
        if len(row) != 2 or _emotion(row[0]) != row[1]:
            raise UserError(
                f"{path}, line {number}: expected a clip and its emotion, such as "
                f"1001_DFA_ANG_XX,ANG; got {','.join(row)}"
            )
        if row[0] in names:
            raise UserError(f"{path}, line {number}: {row[0]} is listed twice")
        names[row[0]] = None
    return list(names)


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    refuse_pointer(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file)
            return [(rows.line_num, [cell.strip() for cell in row]) for row in rows if row]
    except FileNotFoundError as error:
        raise UserError(f"{path} is missing: give both train.csv and test.csv, or none") from error
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read ({error})") from error


def decode(clip: Clip) -> dict[str, Any]:
    """Decode the files of a clip into a stored example.

    Args:
      clip: A clip from ``clips``.

    Returns:
      ``waveform``, int16 [N], at 22.05 kHz; ``frames``, a JPEG file for each second; ``label``, the
      name of the class; ``clip``, the name of the clip.

    Raises:
      ClipError: If the files are missing or damaged, or without sound or pictures.
    """
    return {
        "waveform": audio.waveform(clip.audio, RATE),
        "frames": video.each_second(clip.video),
        "label": clip.label,
        "clip": clip.name,
    }


def _spectrogram(waveform: np.ndarray) -> np.ndarray:
    """Return the log spectrogram of the first three seconds of sound, float32 ``[257, 188, 1]``.

    Args:
      waveform: int16 [N] at 22.05 kHz; a shorter one is repeated.
    """
    samples = audio.tiled(waveform, SECONDS * RATE).astype(np.float32) / 32_768
    return audio.log_spectrogram(samples)


training, evaluation = from_clips.transforms(_spectrogram, FRAMES)


def _examples(builder: "RecipeBuilder") -> Mapping[str, Examples]:
    """Return the clips of both splits as the recipe writes them.

    Clips whose files are missing, unreadable, or without sound or pictures are left out.
    """
    return from_clips.examples(builder, clips(builder.files_dir), decode)


_MODALITIES: Mapping[str, Scaling] = {"audio": as_stored, "video": imagenet}

DATASET = DataSet(
    name="crema-d",
    kind="frames",
    modalities=_MODALITIES,
    objectives=multimodal(_MODALITIES, len(CLASSES)),
    recipe=from_clips.recipe(
        "crema_d",
        "Actors who speak a sentence in one of six emotions, in sound and pictures.",
        CLASSES,
        _examples,
    ),
    transforms=Transforms(training, evaluation),
    model="resnet18",
    optimization=PAPER,
)
