"""Pictures of a video: one per second is stored, and a sample has one from each part of the clip.

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
"""FFmpeg's number of the color matrix of ITU-R BT.601, which is used if a video names none."""

MATRICES = (1, 4, 7, 8, 9, 10)
"""FFmpeg's numbers of the other color matrices, from RGB to luma and chroma."""


def each_second(path: Path, start: float = 0.0, end: float = math.inf) -> list[bytes]:
    """Read a picture for each second of a video, or of a part of it.

    It is the first picture between the middle of the second and the middle of the next; if there is
    none, the second has no picture. A video without any such picture has its last one. A picture is
    as a player shows it: rotated and mirrored as the file says, with square pixels. Only every
    other line of an interlaced picture is used.

    Args:
      path: A file in any format that FFmpeg reads.
      start: Start of the part, in seconds. By default that of the file.
      end: End of the part, in seconds. By default that of the file.

    Returns:
      JPEG files as ``images.jpeg`` makes them, in the order of time; at least one.

    Raises:
      ClipError: As for ``decoding.frames``; or if there is no picture, or its rotation is not a
        multiple of 90 degrees.
    """
    taken: list[bytes] = []
    last: decoding.Decoded | None = None
    wanted = start + 0.5
    with decoding.reporting_damage():
        for last in decoding.frames(path, "video", start, end):
            if last.time >= wanted:
                taken.append(_jpeg(last))
                wanted += math.floor(last.time - wanted) + 1
        if last is None:
            raise ClipError("without video")
        return taken or [_jpeg(last)]


def _jpeg(decoded: decoding.Decoded) -> bytes:
    """Return a picture as a JPEG file, as a player shows it: upright, square pixels, one field.

    Raises:
      ClipError: If the rotation of the picture is not a multiple of 90 degrees.
    """
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
        pixels = pixels[::2]  # its other lines show another moment
    a, b, c, d = _turn(frame)
    if a == 0:
        pixels, a, d = pixels.swapaxes(0, 1), c, b
        width, height = height, width
    pixels = pixels[::d, ::a]
    return images.jpeg(Image.fromarray(np.ascontiguousarray(pixels)), (width, height))


def _turn(frame: Any) -> tuple[int, int, int, int]:
    """Return the rotation and reflection of a picture.

    Returns:
      ``a``, ``b``, ``c``, ``d``, each -1, 0 or 1: a pixel that is ``x`` to the right and ``y`` down
      in the frame is displayed ``a x + c y`` to the right and ``b x + d y`` down.
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
    """Take a random picture from each part of a clip, with an independent crop and flip of each.

    Args:
      frames: The encoded pictures of the clip, in the order of time; at least one.
      count: The number of parts.
      rng: Source of randomness.

    Returns:
      uint8 [count, 224, 224, 3].

    Examples:
      >>> from PIL import Image
      >>> frames = [images.jpeg(Image.new("RGB", (64, 48)))]
      >>> training_views(frames, 2, np.random.default_rng(0)).shape
      (2, 224, 224, 3)
    """
    chosen = [frames[int(rng.integers(low, high))] for low, high in parts(len(frames), count)]
    return np.stack([images.training_view(images.decoded(frame), rng) for frame in chosen])


def evaluation_views(frames: Sequence[bytes], count: int) -> np.ndarray:
    """Take the whole middle picture from each part of a clip, the later of two middle ones.

    Args:
      frames: The encoded pictures of the clip, in the order of time; at least one.
      count: The number of parts.

    Returns:
      uint8 [count, 224, 224, 3].

    Examples:
      >>> from PIL import Image
      >>> evaluation_views([images.jpeg(Image.new("RGB", (64, 48)))], 3).shape
      (3, 224, 224, 3)
    """
    chosen = [frames[(low + high) // 2] for low, high in parts(len(frames), count)]
    return np.stack([images.evaluation_view(images.decoded(frame)) for frame in chosen])


def parts(length: int, count: int) -> list[tuple[int, int]]:
    """Divide the pictures of a clip into parts whose lengths differ by at most one.

    Every picture is in a part. If there are fewer pictures than parts, neighboring parts share one.

    Args:
      length: The number of pictures, at least 1.
      count: The number of parts.

    Returns:
      For each part the index of its first picture, and the index after its last.

    Examples:
      >>> parts(10, 3), parts(1, 2)
      ([(0, 3), (3, 6), (6, 10)], [(0, 1), (0, 1)])
    """
    edges = [part * length // count for part in range(count + 1)]
    return [(low, max(high, low + 1)) for low, high in pairwise(edges)]
