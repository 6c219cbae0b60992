"""Pictures of a video: one for each second in storage, one from each part of the clip in a sample.

One picture from each of several equal parts of a video is the sampling of Wang et al., "Temporal
segment networks", ECCV 2016.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data import decoding, images


def each_second(path: Path, start: float = 0.0, end: float = math.inf) -> list[bytes]:
    """Read a picture for each second of a video, or of a stretch of it.

    It is the first one at or after the middle of the second; a second whose second half begins no
    picture has none. A video shorter than that has its last picture.

    Args:
        path: a file in any format that FFmpeg reads.
        start: where the stretch begins, in seconds.
        end: where it ends, in seconds.

    Returns:
        JPEG files as `images.jpeg` makes them, in the order of time; at least one.

    Raises:
        decoding.ClipError: as `decoding.frames`; or there is no picture.

    Example:
        ```
        each_second(Path("1001_DFA_ANG_XX.flv"))
        ```
    """
    taken: list[bytes] = []
    last: Any = None
    wanted = start + 0.5
    for time, last in decoding.frames(path, "video", start, end):
        if time >= wanted:
            taken.append(images.jpeg(last.to_image()))
            wanted = start + math.floor(time - start + 0.5) + 0.5
    if last is None:
        raise decoding.ClipError("without video")
    return taken or [images.jpeg(last.to_image())]


def training_views(frames: Sequence[bytes], count: int, rng: np.random.Generator) -> np.ndarray:
    """Take a random picture from each part of a clip, each with a crop and a flip of its own.

    Args:
        frames: the encoded pictures of the clip, in the order of time; at least one.
        count: the number of parts.
        rng: where the randomness comes from.

    Returns:
        uint8 [count, 224, 224, 3].

    Example:
        >>> from PIL import Image
        >>> frames = [images.jpeg(Image.new("RGB", (64, 48)))]
        >>> training_views(frames, 2, np.random.default_rng(0)).shape
        (2, 224, 224, 3)
    """
    chosen = [frames[int(rng.integers(low, high))] for low, high in parts(len(frames), count)]
    return np.stack([images.training_view(images.decoded(frame), rng) for frame in chosen])


def evaluation_views(frames: Sequence[bytes], count: int) -> np.ndarray:
    """Take the middle picture from each part of a clip, whole; of two in the middle, the later.

    Args:
        frames: the encoded pictures of the clip, in the order of time; at least one.
        count: the number of parts.

    Returns:
        uint8 [count, 224, 224, 3].

    Example:
        >>> from PIL import Image
        >>> evaluation_views([images.jpeg(Image.new("RGB", (64, 48)))], 3).shape
        (3, 224, 224, 3)
    """
    chosen = [frames[(low + high) // 2] for low, high in parts(len(frames), count)]
    return np.stack([images.evaluation_view(images.decoded(frame)) for frame in chosen])


def parts(length: int, count: int) -> list[tuple[int, int]]:
    """Divide the pictures of a clip into parts of equal length, as far as that goes.

    Every picture is in a part. Where there are fewer pictures than parts, neighbouring parts share
    one.

    Args:
        length: the number of pictures, at least 1.
        count: the number of parts.

    Returns:
        The first picture of each part, and the one after its last.

    Example:
        >>> parts(10, 3), parts(1, 2)
        ([(0, 3), (3, 6), (6, 10)], [(0, 1), (0, 1)])
    """
    edges = [part * length // count for part in range(count + 1)]
    return [(low, max(high, low + 1)) for low, high in pairwise(edges)]
