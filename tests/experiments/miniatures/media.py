"""What real files of sound and pictures are written of."""

import numpy as np

from experiments.bench.media import write

__all__ = ["numbered", "plain", "sine", "write"]


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
