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

from experiments.data.media import decoding, images
from experiments.data.media.clips import ClipError

ITU601 = 5
"""FFmpeg's number of the matrix of ITU-R BT.601, which holds for a video that names none."""

MATRICES = (1, 4, 7, 8, 9, 10)
"""FFmpeg's numbers of the matrices, from colors to brightness and difference, that are others."""


def each_second(path: Path, start: float = 0.0, end: float = math.inf) -> list[bytes]:
    """Read a picture for each second of a video, or of a stretch of it.

    It is the first one at or after the middle of the second and before that of the next; where none
    begins in between, there is none. A video shorter than that has its last picture. A picture is
    as a player shows it: turned and mirrored as the file says, its pixels square; of an interlaced
    one, every other line.

    Args:
        path: a file in any format that FFmpeg reads.
        start: where the stretch begins, in seconds.
        end: where it ends, in seconds.

    Returns:
        JPEG files as `images.jpeg` makes them, in the order of time; at least one.

    Raises:
        ClipError: as `decoding.frames`; there is no picture; it is turned by no quarter of a turn.

    Example:
        ```
        each_second(Path("1001_DFA_ANG_XX.flv"))
        ```
    """
    taken: list[bytes] = []
    last: decoding.Decoded | None = None
    wanted = start + 0.5
    with decoding.damage_told():
        for last in decoding.frames(path, "video", start, end):
            if last.time >= wanted:
                taken.append(_jpeg(last))
                wanted += math.floor(last.time - wanted) + 1
        if last is None:
            raise ClipError("without video")
        return taken or [_jpeg(last)]


def _jpeg(decoded: decoding.Decoded) -> bytes:
    """Encode a picture as a player shows it: upright, in square pixels, without combs."""
    from PIL import Image

    frame = decoded.frame
    matrix = frame.colorspace if frame.colorspace in MATRICES else ITU601
    color_range = frame.color_range
    image = frame.to_image(
        src_colorspace=matrix, dst_colorspace=ITU601, src_color_range=color_range
    )
    width, height = image.width * decoded.pixel_aspect, image.height
    pixels = np.asarray(image)
    if frame.interlaced_frame:
        pixels = pixels[::2]  # its other lines are those of another moment
    a, b, c, d = _turn(frame)
    if a == 0:
        pixels, a, d = pixels.swapaxes(0, 1), c, b
        width, height = height, width
    pixels = pixels[::d, ::a]
    return images.jpeg(Image.fromarray(np.ascontiguousarray(pixels)), (width, height))


def _turn(frame: Any) -> tuple[int, int, int, int]:
    """How a picture is to be turned and mirrored.

    Returns:
        `a`, `b`, `c`, `d`, each -1, 0 or 1: what is `x` to the right and `y` down in the frame is
        `a x + c y` to the right and `b x + d y` down as it is to be seen.
    """
    stored = frame.side_data.get("DISPLAYMATRIX")
    if stored is None:
        return 1, 0, 0, 1
    matrix = np.frombuffer(stored, np.int32)[[0, 1, 3, 4]].astype(float)
    if not matrix.any():
        return 1, 0, 0, 1
    sides = np.sign(matrix) * (np.abs(matrix) > np.abs(matrix).max() / 100)
    a, b, c, d = sides.astype(int).tolist()
    if not ((a and d and not b and not c) or (b and c and not a and not d)):
        raise ClipError("not turned by quarters")
    return a, b, c, d


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

    Every picture is in a part. Where there are fewer pictures than parts, neighboring parts share
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
