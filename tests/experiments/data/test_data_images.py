import io

import numpy as np
import pytest
import scipy.stats
from PIL import Image

from experiments.data import images

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
def test_what_no_draw_fits_is_cropped_in_the_centre(size, crop):
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
    centres = (np.arange(224) + 0.5) / 224
    columns = np.broadcast_to(255 * (centres * 400 - 0.5) / 399, (224, 224))
    rows = np.broadcast_to(255 * (centres * 300 - 0.5) / 299, (224, 224)).T
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
