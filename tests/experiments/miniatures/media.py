"""Writes real files of sound and pictures."""

import av
import numpy as np


def write(path, pictures=None, samples=None, *, fps=10, rate=16_000, codecs=("mpeg4", "aac")):
    """Write uint8 pictures [N, H, W, 3] and samples in [-1, 1], float32 [channels, N]."""
    path.parent.mkdir(parents=True, exist_ok=True)
    video_codec, audio_codec = codecs
    with av.open(path, "w") as container:
        video = audio = None
        if pictures is not None:
            video = container.add_stream(video_codec, rate=fps)
            video.height, video.width = pictures.shape[1:3]
            video.pix_fmt = "yuv420p"
            video.bit_rate = 1_000_000
        if samples is not None:
            layout = {1: "mono", 2: "stereo"}[len(samples)]
            audio = container.add_stream(audio_codec, rate=rate, layout=layout)
        if video is not None:
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


def sine(frequency, seconds, rate, amplitude=0.5):
    """One channel of a sine, float32 [1, samples]."""
    times = np.arange(round(seconds * rate)) / rate
    return (amplitude * np.sin(2 * np.pi * frequency * times)).astype(np.float32)[None]


def numbered(count, height=48, width=64, step=8):
    """Plain grey pictures that get brighter by `step` from one to the next."""
    levels = (np.arange(count) * step).astype(np.uint8)
    return np.broadcast_to(levels[:, None, None, None], (count, height, width, 3))


def plain(colour, count, height=48, width=64):
    """The same picture in one colour, again and again."""
    return np.broadcast_to(np.array(colour, np.uint8), (count, height, width, 3))
