"""Generate sound and pictures, and write them to files of clips."""

import colorsys
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1", 16: "hexadecagonal"}
"""FFmpeg's name of the channel layout, by number of channels."""

MUXERS = {".mkv": "matroska", ".aac": "adts", ".ts": "mpegts"}
"""FFmpeg's names of the formats that are not the suffix of their files."""

NOISE = 12
"""Standard deviation of the noise of each pixel of ``stripes``, of 255."""


def write(
    path: Path,
    pictures: np.ndarray | None = None,
    samples: np.ndarray | None = None,
    *,
    fps: int = 10,
    rate: int = 16_000,
    codecs: tuple[str | None, str | None] = ("mpeg4", "aac"),
    to_pipe: bool = False,
) -> None:
    """Write a file of pictures, of sound, or of both, in the format of its suffix.

    Args:
      path: The file; its folder is created.
      pictures: Pictures, uint8 [N, H, W, 3].
      samples: Sound in [-1, 1], float32 [channels, N]; the number of channels is in ``LAYOUTS``.
      fps: Pictures per second.
      rate: Samples per second.
      codecs: FFmpeg's names of the codecs of pictures and sound.
      to_pipe: Whether the file is written without seeking, so that its header cannot state its
        length.
    """
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    video_codec, audio_codec = codecs
    with (
        path.open("wb") as file,
        av.open(
            _Pipe(file) if to_pipe else file, "w", format=MUXERS.get(path.suffix, path.suffix[1:])
        ) as container,
    ):
        video: Any = None
        audio: Any = None
        if pictures is not None:
            video = container.add_stream(video_codec, rate=fps)
            video.height, video.width = pictures.shape[1:3]
            video.pix_fmt = "yuv420p"
            video.bit_rate = 1_000_000
        if samples is not None:
            layout = LAYOUTS[len(samples)]
            audio = container.add_stream(audio_codec, rate=rate, layout=layout)
            if len(samples) > 2:  # the default is for two channels
                audio.bit_rate = 96_000 * len(samples)
        if video is not None and pictures is not None:
            for picture in pictures:
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(video.encode(None))
        if audio is not None and samples is not None:
            packed = np.ascontiguousarray(samples.T, np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(packed, format="flt", layout=layout)
            frame.sample_rate = rate
            converter = av.AudioResampler(audio.format, layout, rate, audio.frame_size or None)
            for piece in [*converter.resample(frame), *converter.resample(None)]:
                container.mux(audio.encode(piece))
            container.mux(audio.encode(None))


class _Pipe:
    """A file that can only be written from start to end, like a pipe."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def write(self, contents: bytes) -> int:
        return self._file.write(contents)


def sine(frequency: float, seconds: float, rate: int, amplitude: float = 0.5) -> np.ndarray:
    """Return one channel of a sine, float32 [1, samples].

    Args:
      frequency: The frequency in Hz.
      seconds: The length.
      rate: Samples per second.
      amplitude: The largest value.
    """
    times = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * times)).astype(np.float32)[None]


def numbered(count: int, height: int = 48, width: int = 64, step: int = 8) -> np.ndarray:
    """Return plain gray pictures that get brighter from one to the next.

    Args:
      count: The number of pictures.
      height: Height in pixels.
      width: Width in pixels.
      step: The increase from one picture to the next, in levels of 255; the first is black.

    Returns:
      uint8 [count, height, width, 3].
    """
    levels = (np.arange(count) * step).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, height, width, 3))


def plain(
    color: tuple[float, float, float], count: int, height: int = 48, width: int = 64
) -> np.ndarray:
    """Return equal pictures in one color, uint8 [count, height, width, 3].

    Args:
      color: Red, green and blue, from 0 to 255.
      count: The number of pictures.
      height: Height in pixels.
      width: Width in pixels.
    """
    return np.broadcast_to(np.array(color, np.uint8), (count, height, width, 3))


def stripes(
    color: tuple[float, float, float], count: int, height: int = 48, width: int = 64
) -> np.ndarray:
    """Return pictures of noisy moving stripes around a color, as slow to decode as real pictures.

    Args:
      color: Red, green and blue, from 0 to 255.
      count: The number of pictures.
      height: Height in pixels.
      width: Width in pixels.

    Returns:
      uint8 [count, height, width, 3].
    """
    rng = np.random.default_rng(0)
    columns = np.arange(width, dtype=np.float32)[:, None]
    pictures = np.empty((count, height, width, 3), np.uint8)
    for frame, picture in enumerate(pictures):
        waves = np.array(color, np.float32) + 40 * np.sin((columns + 4 * frame) / 10)
        noise = NOISE * rng.standard_normal((height, width, 1), np.float32)
        picture[:] = np.clip(waves + noise, 0, 255)
    return pictures


def hue(share: float) -> tuple[float, float, float]:
    """Return a color from the circle of hues, as red, green and blue from 0 to 255.

    Args:
      share: The place on the circle, 0 to 1; both ends are red.

    Examples:
      >>> [round(channel) for channel in hue(0.5)]
      [41, 204, 204]
    """
    red, green, blue = colorsys.hsv_to_rgb(share, 0.8, 0.8)
    return 255 * red, 255 * green, 255 * blue
