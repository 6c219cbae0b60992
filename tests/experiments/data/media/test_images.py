import io
import struct
import zlib

import numpy as np
import pytest
import scipy.stats
from PIL import Image

from experiments.data.media import images

DRAWS = 4000


def gradient(width, height):
    """An image whose red tells the column and whose green tells the row."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width).round()
    pixels[..., 1] = np.linspace(0, 255, height).round()[:, None]
    return Image.fromarray(pixels)


@pytest.fixture(scope="module")
def crops():
    """Left, top, width and height of crops of a large square, as shares of its side."""
    rng = np.random.default_rng(0)
    return np.array([images.random_crop(10**6, 10**6, rng) for _ in range(DRAWS)]) / 10**6


def test_the_area_of_a_crop_is_uniform_from_8_to_100_percent(crops):
    # Of an area under 3/4 every aspect ratio fits, so that nothing is drawn anew.
    area = crops[:, 2] * crops[:, 3]
    assert area.min() > 0.0799
    assert area.max() > 0.95
    small = area[area < 0.75]
    assert scipy.stats.kstest(small, scipy.stats.uniform(0.08, 0.67).cdf).pvalue > 0.01


def test_the_logarithm_of_the_aspect_ratio_is_uniform(crops):
    crops = crops[crops[:, 2] * crops[:, 3] < 0.75]
    log_ratio = np.log(crops[:, 2] / crops[:, 3])
    uniform = scipy.stats.uniform(-np.log(4 / 3), 2 * np.log(4 / 3))
    assert scipy.stats.kstest(log_ratio, uniform.cdf).pvalue > 0.01


@pytest.mark.parametrize("axis", [0, 1])
def test_the_place_of_a_crop_is_uniform(crops, axis):
    place = crops[:, axis] / (1 - crops[:, axis + 2])
    assert scipy.stats.kstest(place, "uniform").pvalue > 0.01


@pytest.mark.parametrize("size", [(4, 3), (1, 1), (60, 7), (3, 50)])
def test_a_crop_lies_in_the_image(size):
    rng = np.random.default_rng(1)
    for _ in range(500):
        left, top, width, height = images.random_crop(*size, rng)
        assert 0 <= left < left + width <= size[0]
        assert 0 <= top < top + height <= size[1]


def test_every_place_of_a_crop_is_drawn():
    rng = np.random.default_rng(2)
    drawn = {images.random_crop(2, 2, rng) for _ in range(500)}
    assert {(left, top, 1, 1) for left in (0, 1) for top in (0, 1)} < drawn


@pytest.mark.parametrize(
    ("size", "crop"),
    [((1000, 9), (494, 0, 12, 9)), ((9, 1000), (0, 494, 9, 12))],
)
def test_what_no_draw_fits_is_cropped_in_the_center(size, crop):
    assert images.random_crop(*size, np.random.default_rng(3)) == crop


def test_a_training_view_is_a_crop_and_mirrored_every_other_time():
    image = gradient(400, 300)
    rng = np.random.default_rng(4)
    mirrored = []
    for _ in range(100):
        view = images.training_view(image, rng).astype(float)
        assert view.shape == (224, 224, 3)
        down = view[-1, :, 1].mean() - view[0, :, 1].mean()
        across = view[:, -1, 0].mean() - view[:, 0, 0].mean()
        mirrored.append(across < 0)
        # The share of the image that a crop shows is the share of the gradient.
        assert 0.06 < abs(across) * down / 255**2 <= 1
    assert 35 < sum(mirrored) < 65


def test_an_evaluation_view_is_the_whole_image_resized():
    view = images.evaluation_view(gradient(400, 300))
    assert view.dtype == np.uint8
    centers = (np.arange(224) + 0.5) / 224
    columns = np.broadcast_to(255 * (centers * 400 - 0.5) / 399, (224, 224))
    rows = np.broadcast_to(255 * (centers * 300 - 0.5) / 299, (224, 224)).T
    np.testing.assert_allclose(view[..., 0], columns, atol=1.5)
    np.testing.assert_allclose(view[..., 1], rows, atol=1.5)


@pytest.mark.parametrize(
    ("size", "stored"),
    [
        ((480, 360), (341, 256)),
        ((360, 480), (256, 341)),
        ((64, 48), (64, 48)),
        ((1920, 256), (1920, 256)),
    ],
)
def test_the_shorter_side_is_stored_with_256_pixels_at_most(size, stored):
    assert images.decoded(images.jpeg(gradient(*size))).size == stored


def test_a_stored_image_looks_like_the_original():
    original = gradient(64, 48)
    stored = images.jpeg(original)
    assert Image.open(io.BytesIO(stored)).format == "JPEG"
    difference = np.asarray(images.decoded(stored)).astype(int) - np.asarray(original)
    assert np.abs(difference).mean() < 2


def png(depth, kind, row, *chunks):
    """A PNG file of one row of pixels, given as bytes, of a bit depth and a kind of color."""
    width = 8 * len(row) // (depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind])
    header = struct.pack(">IIBBBBB", width, 1, depth, kind, 0, 0, 0)
    pixels = zlib.compress(b"\0" + row)
    file = b"\x89PNG\r\n\x1a\n"
    for name, data in ((b"IHDR", header), *chunks, (b"IDAT", pixels), (b"IEND", b"")):
        file += struct.pack(">I", len(data)) + name + data
        file += struct.pack(">I", zlib.crc32(name + data))
    return file


def deep(*levels):
    return np.array(levels, ">u2").tobytes()


def transparent(*levels):
    """The chunk that makes a level or a color of 16 bits transparent."""
    return b"tRNS", deep(*levels)


PALETTE = b"PLTE", bytes([255, 0, 0, 0, 255, 0])


@pytest.mark.parametrize(
    ("file", "wanted"),
    [
        (png(1, 0, bytes([0b01010101])), 4 * [0, 255]),
        (png(2, 0, bytes([0b00011011])), [0, 85, 170, 255]),
        (png(4, 0, bytes([0x05, 0xAF])), [0, 85, 170, 255]),
        (png(16, 0, deep(0, 25_700, 30_000, 65_535)), [0, 100, 117, 255]),
        (png(16, 0, deep(100, 25_701, 65_535), transparent(25_701)), [0, 255, 255]),
        (png(16, 2, deep(0, 25_700, 65_535)), [(0, 100, 255)]),
        (png(8, 4, bytes([40, 255, 40, 0, 40, 51])), [40, 255, 212]),
        (png(16, 4, deep(10_280, 65_535, 10_280, 0)), [40, 255]),
        (png(8, 6, bytes([10, 20, 30, 255, 10, 20, 30, 0])), [(10, 20, 30), 255]),
        (png(16, 6, deep(0, 25_700, 51_400, 65_535)), [(0, 100, 200)]),
        (png(8, 0, bytes([0, 100]), transparent(100)), [0, 255]),
        (png(8, 2, bytes([1, 2, 3, 4, 5, 6]), transparent(1, 2, 3)), [255, (4, 5, 6)]),
        (png(1, 0, bytes([0b01010101]), transparent(0)), 4 * [255, 255]),
        (png(2, 0, bytes([0b00011011]), transparent(1)), [0, 255, 170, 255]),
        (png(4, 0, bytes([0x05, 0xAF]), transparent(5)), [0, 255, 170, 255]),
        (png(16, 2, deep(16_385, 65_282, 3, 1, 2, 3), transparent(16_385, 65_282, 3)), [255, 0]),
        (png(8, 3, bytes([0, 1]), PALETTE), [(255, 0, 0), (0, 255, 0)]),
        (png(8, 3, bytes([0, 1]), PALETTE, (b"tRNS", b"\xff\0")), [(255, 0, 0), 255]),
    ],
)
def test_a_png_file_of_any_kind_is_what_a_viewer_shows(file, wanted):
    pixels = np.asarray(images.decoded(file))
    wanted = np.array([np.broadcast_to(color, 3) for color in wanted])
    np.testing.assert_allclose(pixels[0].astype(int), wanted, atol=1)


def saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("ink", "wanted"), [((0, 255, 255, 0), (255, 0, 0)), ((0, 0, 0, 127), (128, 128, 128))]
)
@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_an_image_for_print_is_what_is_printed(ink, wanted, kind):
    got = images.decoded(saved(Image.new("CMYK", (8, 8), ink), kind)).getpixel((4, 4))
    assert np.abs(np.array(got) - wanted).max() <= 2


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [
        (1, lambda pixels: pixels),
        (2, np.fliplr),
        (3, lambda pixels: np.rot90(pixels, 2)),
        (4, np.flipud),
        (5, np.transpose),
        (6, lambda pixels: np.rot90(pixels, -1)),  # to the right
        (7, lambda pixels: np.rot90(np.transpose(pixels), 2)),
        (8, np.rot90),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_image_is_turned_as_its_file_says(orientation, turn, dtype):
    levels = np.array([[0, 40, 80], [120, 160, 200]])
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = (levels * (257 if dtype == np.uint16 else 1)).astype(dtype)
    file = saved(Image.fromarray(stored), "PNG", exif=exif)
    np.testing.assert_array_equal(np.asarray(images.decoded(file))[..., 0], turn(levels))


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_of_a_moving_image_the_first_picture_is_taken(kind):
    first, second = (Image.new("RGB", (4, 4), color) for color in ("red", "lime"))
    file = saved(first, kind, save_all=True, append_images=[second])
    assert images.decoded(file).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize(
    ("dtype", "mode"), [(np.float32, "F"), (np.int32, "I"), (np.uint16, "I;16")]
)
def test_numbers_without_a_known_white_are_refused(dtype, mode):
    file = saved(Image.fromarray(np.array([[0, 1]], dtype)), "TIFF")
    with pytest.raises(images.ImageError, match=f"^in the colou?r mode {mode}, which has no white"):
        images.decoded(file)
