"""Files of sound and pictures, to measure and test with."""

from pathlib import Path
from typing import Any

import av
import numpy as np


def write(
    path: Path,
    pictures: np.ndarray | None = None,
    samples: np.ndarray | None = None,
    *,
    fps: int = 10,
    rate: int = 16_000,
    codecs: tuple[str | None, str | None] = ("mpeg4", "aac"),
) -> None:
    """Writes a file of pictures, of sound, or of both, in the format of its name.

    Args:
      path: The file; its folder is made.
      pictures: uint8 ``[N, H, W, 3]``.
      samples: In [-1, 1], float32 ``[channels, N]``, of one or two channels.
      fps: Pictures per second.
      rate: Samples per second.
      codecs: FFmpeg's names of the codecs of pictures and sound.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    video_codec, audio_codec = codecs
    with av.open(path, "w") as container:
        video: Any = None
        audio: Any = None
        if pictures is not None:
            video = container.add_stream(video_codec, rate=fps)
            video.height, video.width = pictures.shape[1:3]
            video.pix_fmt = "yuv420p"
            video.bit_rate = 1_000_000
        if samples is not None:
            layout = {1: "mono", 2: "stereo"}[len(samples)]
            audio = container.add_stream(audio_codec, rate=rate, layout=layout)
        if video is not None and pictures is not None:
            for picture in pictures:
                container.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            container.mux(video.encode(None))
        if audio is not None:
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples, np.float32), format="fltp", layout=layout
            )
            frame.sample_rate = rate
            converter = av.AudioResampler(audio.format, layout, rate, audio.frame_size or None)
            for piece in [*converter.resample(frame), *converter.resample(None)]:
                container.mux(audio.encode(piece))
            container.mux(audio.encode(None))
