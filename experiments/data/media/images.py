"""Encode and decode images, and crop and resize them to the 224 pixels that the networks take.

Source of the random resized crop: Szegedy et al., "Going deeper with convolutions", CVPR 2015,
with the scale, the aspect ratios and the ten attempts of torchvision, which the released code uses.
"""

import io
import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

SIDE = 224
"""Height and width of a view, in pixels."""

STORED_SIDE = 256
"""The largest shorter side of a stored image, in pixels; a smaller image is not enlarged."""

JPEG_QUALITY = 95
"""JPEG quality, of 100: the loss is invisible, and files have a quarter of the bytes of PNG."""

SCALE = (0.08, 1.0)
"""The range of the area of a random crop, as a share of the image's area."""

RATIO = (3 / 4, 4 / 3)
"""The range of the aspect ratio, width to height, of a random crop."""

ATTEMPTS = 10
"""Number of draws of a crop until one fits into the image."""


class ImageError(Exception):
    """The error of an image whose colors cannot be determined.

    Its message completes a sentence about the image, such as "in the color mode F, which has no
    white".
    """


def jpeg(image: "Image.Image", size: tuple[float, float] | None = None) -> bytes:
    """Encode an image for storage, its shorter side at most ``STORED_SIDE`` (256) pixels.

    Args:
      image: An image that ``shown`` can convert.
      size: The displayed width and height; by default those of the image.

    Returns:
      A JPEG file in RGB.

    Raises:
      ImageError: As for ``shown``.

    Examples:
      >>> from PIL import Image
      >>> decoded(jpeg(Image.new("RGB", (640, 512)))).size
      (320, 256)
    """
    size = size or image.size
    shrink = min(1.0, STORED_SIDE / min(size))
    width, height = (max(1, round(shrink * side)) for side in size)
    file = io.BytesIO()
    _resized(shown(image), width, height).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def png(pixels: np.ndarray) -> bytes:
    """Encode an image without loss.

    Args:
      pixels: Uint8 [H, W, 1 or 3].

    Returns:
      A PNG file, gray or RGB.

    Examples:
      >>> decoded(png(np.zeros((48, 64, 1), np.uint8))).size
      (64, 48)
    """
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
        file, "PNG", compress_level=1
    )
    return file.getvalue()


def decoded(encoded: bytes) -> "Image.Image":
    """Decode an image file.

    Args:
      encoded: A file in a format that Pillow reads; if it has several images, the first is used.

    Returns:
      The image in RGB, as returned by ``shown``.

    Raises:
      ImageError: As for ``shown``.

    Examples:
      >>> from PIL import Image
      >>> decoded(jpeg(Image.new("L", (64, 48), 200))).getpixel((0, 0))
      (200, 200, 200)
    """
    from PIL import Image

    return shown(Image.open(io.BytesIO(encoded)))


def shown(image: "Image.Image") -> "Image.Image":
    """Convert an image to what a viewer shows.

    The image is rotated as its file says, and put on white where it is transparent. 16 bits of gray
    in a PNG file become 8.

    Args:
      image: An image in any color mode in which white is defined.

    Returns:
      The image in RGB.

    Raises:
      ImageError: If its pixels are numbers without a known white, such as floats; or Pillow cannot
        convert its color mode.

    Examples:
      >>> from PIL import Image
      >>> shown(Image.new("RGBA", (64, 48), (0, 0, 0, 0))).getpixel((0, 0))
      (255, 255, 255)
    """
    from PIL import Image, ImageOps

    is_png = image.format == "PNG"
    transparent = _transparent(image)
    image = ImageOps.exif_transpose(image)
    if transparent is not None:
        image.info["transparency"] = transparent
    if image.mode[0] in "IF":
        if not is_png:
            raise ImageError(f"in the color mode {image.mode}, which has no white")
        levels = np.asarray(image).astype(np.float32)
        levels[levels == image.info.get("transparency")] = 65_535
        image = Image.fromarray(np.rint(levels / 257).astype(np.uint8))
    try:
        if "A" in image.getbands() or "transparency" in image.info:
            white = Image.new("RGBA", image.size, "white")
            image = Image.alpha_composite(white, image.convert("RGBA"))
        return image.convert("RGB")
    except ValueError as error:
        raise ImageError(f"in the color mode {image.mode}, which cannot be shown") from error


def _transparent(image: "Image.Image") -> Any:
    """Return the transparent color of a PNG file, if any, on the scale of Pillow's pixels.

    If the file has fewer or more than 8 bits, Pillow scales its pixels but not this color.
    """
    color = image.info.get("transparency")
    if color is None:
        return None
    match image.tile[0][3] if image.tile else None:
        case "L;2" | "L;4" as bits:
            return color * 255 // (2 ** int(bits[-1]) - 1)
        case "RGB;16B":
            return tuple(sample >> 8 for sample in color)
        case _:
            return color


def training_view(image: "Image.Image", rng: np.random.Generator) -> np.ndarray:
    """Make a training view of an image: a random crop, resized, mirrored with probability 1/2.

    Args:
      image: An image in RGB.
      rng: Source of randomness.

    Returns:
      uint8 [224, 224, 3].

    Examples:
      >>> from PIL import Image
      >>> training_view(Image.new("RGB", (64, 48)), np.random.default_rng(0)).shape
      (224, 224, 3)
    """
    width, height = image.size
    left, top, width, height = random_crop(width, height, rng)
    crop = image.crop((left, top, left + width, top + height))
    view = np.asarray(_resized(crop, SIDE, SIDE))
    return np.ascontiguousarray(view[:, ::-1]) if rng.random() < 0.5 else view


def evaluation_view(image: "Image.Image") -> np.ndarray:
    """Make an evaluation view of an image: the whole image, resized whatever its aspect ratio.

    Args:
      image: An image in RGB.

    Returns:
      uint8 [224, 224, 3].

    Examples:
      >>> from PIL import Image
      >>> evaluation_view(Image.new("RGB", (64, 48))).dtype
      dtype('uint8')
    """
    return np.asarray(_resized(image, SIDE, SIDE))


def random_crop(width: int, height: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Draw the edges of a random crop.

    The area is uniform in ``SCALE`` times the image's, the logarithm of the aspect ratio is uniform
    in that of ``RATIO``, and the position is uniform. After ten draws that do not fit into the
    image, it is the largest centered crop whose aspect ratio is in ``RATIO``.

    Args:
      width: Width of the image, in pixels.
      height: Height of the image, in pixels.
      rng: Source of randomness.

    Returns:
      The left and top edge, the width and the height of the crop, in pixels.

    Examples:
      >>> random_crop(1000, 10, np.random.default_rng(0))
      (493, 0, 13, 10)
    """
    for _ in range(ATTEMPTS):
        area = width * height * rng.uniform(*SCALE)
        ratio = math.exp(rng.uniform(math.log(RATIO[0]), math.log(RATIO[1])))
        crop_width, crop_height = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < crop_width <= width and 0 < crop_height <= height:
            left = int(rng.integers(width - crop_width + 1))
            top = int(rng.integers(height - crop_height + 1))
            return left, top, crop_width, crop_height
    crop_width = min(width, round(height * RATIO[1]))
    crop_height = min(height, round(width / RATIO[0]))
    return (width - crop_width) // 2, (height - crop_height) // 2, crop_width, crop_height


def _resized(image: "Image.Image", width: int, height: int) -> "Image.Image":
    from PIL import Image

    return image.resize((width, height), Image.Resampling.BILINEAR)
