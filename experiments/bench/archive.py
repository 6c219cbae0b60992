"""An archive in CREMA-D's layout, of clips that cost as much to decode as the real ones."""

import shutil
from pathlib import Path

import numpy as np

from experiments.bench.media import write
from experiments.data.crema_d import CLASSES

HEIGHT, WIDTH, FRAMES_PER_SECOND = 360, 480, 30
SECONDS = 2.5
AUDIO_RATE = 16_000
ACTORS = 20
"""Of whom the split by actor takes every fifth for the test."""


def write_archive(folder: Path, clips: int) -> None:
    """Writes clips in the formats and of the sizes of CREMA-D's.

    Video of 480 x 360 pixels and 30 frames per second in FLV, sound of 16 kHz in WAV, 2.5 seconds.
    One clip for each emotion is encoded, of moving stripes under noise; the others are its copies.

    Args:
      folder: Where ``AudioWAV`` and ``VideoFlash`` go.
      clips: Their number, a multiple of the number of emotions.
    """
    rng = np.random.default_rng(0)
    for index, emotion in enumerate(CLASSES):
        first: tuple[Path, Path] | None = None
        for number in range(clips // len(CLASSES)):
            name = f"{1001 + number % ACTORS}_S{chr(65 + number // ACTORS // 26)}" + (
                f"{chr(65 + number // ACTORS % 26)}_{emotion}_XX"
            )
            files = folder / "AudioWAV" / f"{name}.wav", folder / "VideoFlash" / f"{name}.flv"
            if first is None:
                first = files
                sound = _sound(index, rng)
                write(files[0], samples=sound, rate=AUDIO_RATE, codecs=(None, "pcm_s16le"))
                write(files[1], _pictures(index, rng), fps=FRAMES_PER_SECOND, codecs=("flv", None))
            else:
                for source, copy in zip(first, files, strict=True):
                    shutil.copyfile(source, copy)


def _sound(index: int, rng: np.random.Generator) -> np.ndarray:
    times = np.arange(round(SECONDS * AUDIO_RATE)) / AUDIO_RATE
    tone = 0.4 * np.sin(2 * np.pi * 200 * (index + 1) * times)
    return (tone + 0.05 * rng.standard_normal(len(times))).astype(np.float32)[None]


def _pictures(index: int, rng: np.random.Generator) -> np.ndarray:
    frames = np.arange(round(SECONDS * FRAMES_PER_SECOND))[:, None, None, None]
    columns = np.arange(WIDTH)[None, None, :, None]
    stripes = 128 + 60 * np.sin((columns + 4 * frames) / (10 + 4 * index) + np.arange(3))
    noise = 12 * rng.standard_normal((len(frames), HEIGHT, WIDTH, 1))
    return np.clip(stripes + noise, 0, 255).astype(np.uint8)
