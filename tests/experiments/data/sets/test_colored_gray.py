import itertools

import numpy as np
import pytest
import scipy.stats

from experiments.data.sets._colored_gray import MEAN_COLORS, VARIANCE, colored_and_gray

COUNT = 40_000


def colors_of(labels, *, correlation):
    """The drawn colors in [0, 1], read off white images of one pixel."""
    white = np.full((len(labels), 1, 1), 255, np.uint8)
    fields = colored_and_gray(white, labels, correlation=correlation, rng=np.random.default_rng(1))
    return fields["color"][:, 0, 0] / 255


def nearest_class(colors):
    return np.linalg.norm(colors[:, None] - MEAN_COLORS, axis=-1).argmin(1)


@pytest.fixture(scope="module")
def labels():
    return np.random.default_rng(2).integers(10, size=COUNT)


@pytest.fixture(scope="module")
def clipped_normal():
    """Colors of each class drawn by brute force: [10, samples, 3]."""
    noise = np.random.default_rng(3).normal(0, VARIANCE**0.5, (10, 200_000, 3))
    return np.clip(MEAN_COLORS[:, None] + noise, 0, 1)


def test_mean_colors_are_well_separated():
    distances = [np.linalg.norm(a - b) for a, b in itertools.combinations(MEAN_COLORS, 2)]
    assert MEAN_COLORS.shape == (10, 3)
    assert min(distances) > 3 * VARIANCE**0.5
    assert MEAN_COLORS.max(1).min() >= 0.9


@pytest.mark.parametrize("label", range(10))
def test_training_colors_have_the_mean_and_variance_of_their_label(label, labels, clipped_normal):
    drawn = colors_of(labels, correlation=1)[labels == label]
    assert len(drawn) > 3_500
    np.testing.assert_allclose(drawn.mean(0), clipped_normal[label].mean(0), atol=0.012)
    np.testing.assert_allclose(drawn.var(0), clipped_normal[label].var(0), atol=0.002)
    assert np.abs(np.corrcoef(drawn.T) - np.eye(3)).max() < 0.06


def test_jitter_that_is_not_clipped_has_variance_0_03(labels):
    pink = colors_of(labels, correlation=1)[labels == 7]
    assert pink[:, 1].var() == pytest.approx(0.03, rel=0.08)


def test_colors_are_clipped_not_wrapped(labels):
    red = colors_of(labels, correlation=1)[labels == 0]
    # P(N(0.9, 0.03) > 1) = P(N(0.1, 0.03) < 0) = 0.282
    assert (red[:, 0] == 1).mean() == pytest.approx(0.282, abs=0.03)
    assert (red[:, 1] == 0).mean() == pytest.approx(0.282, abs=0.03)


def test_test_colors_do_not_depend_on_the_label(labels, clipped_normal):
    drawn = colors_of(labels, correlation=0)
    table = np.zeros((10, 10))
    np.add.at(table, (labels, nearest_class(drawn)), 1)
    assert scipy.stats.chi2_contingency(table).pvalue > 0.01
    np.testing.assert_allclose(drawn.mean(0), clipped_normal.mean((0, 1)), atol=0.006)
    np.testing.assert_allclose(drawn.var(0), clipped_normal.var((0, 1)), atol=0.004)


def test_training_colors_depend_on_the_label(labels):
    drawn = colors_of(labels, correlation=1)
    assert (nearest_class(drawn) == labels).mean() > 0.8


def test_a_share_of_the_colors_follows_the_label():
    labels = np.arange(10).repeat(4000)
    own, half = (
        np.mean(nearest_class(colors_of(labels, correlation=correlation)) == labels)
        for correlation in (1, 0.5)
    )
    # Of the other half a tenth has the color of its label by chance.
    assert half == pytest.approx(0.5 * own + 0.5 * 0.1, abs=0.01)


def test_a_correlation_is_a_probability():
    with pytest.raises(ValueError, match=r"correlation must be in \[0, 1\], got 2"):
        colors_of(np.zeros(1, int), correlation=2)


@pytest.mark.parametrize("correlation", [1, 0.5, 0])
def test_colored_image_is_the_gray_one_times_one_color(correlation):
    rng = np.random.default_rng(4)
    images = rng.integers(256, size=(50, 6, 7)).astype(np.uint8)
    images[:, 0, 0] = 255
    labels = rng.integers(10, size=50)
    fields = colored_and_gray(images, labels, correlation=correlation, rng=rng)
    np.testing.assert_array_equal(fields["gray"][..., 0], images)
    np.testing.assert_array_equal(fields["label"], labels)
    shapes = {name: (array.shape, array.dtype.name) for name, array in fields.items()}
    assert shapes == {
        "gray": ((50, 6, 7, 1), "uint8"),
        "color": ((50, 6, 7, 3), "uint8"),
        "label": ((50,), "int32"),
    }
    color = fields["color"][:, :1, :1] / 255
    difference = fields["color"] - fields["gray"] * color
    assert np.abs(difference).max() < 1.01  # both sides are rounded to the nearest integer
    assert abs(difference.mean()) < 0.05


def test_the_generator_determines_the_result():
    images = np.random.default_rng(5).integers(256, size=(30, 4, 4)).astype(np.uint8)
    labels = np.arange(30) % 10

    def colors(seed):
        rng = np.random.default_rng(seed)
        return colored_and_gray(images, labels, correlation=0, rng=rng)["color"]

    np.testing.assert_array_equal(colors(0), colors(0))
    assert (colors(0) != colors(1)).any()


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        (np.zeros((3, 2, 2)), np.zeros(3, int)),
        (np.zeros((3, 2, 2, 1), np.uint8), np.zeros(3, int)),
        (np.zeros((3, 2, 2), np.uint8), np.zeros(2, int)),
    ],
)
def test_wrong_shapes_and_dtypes_are_refused(images, labels):
    with pytest.raises(ValueError, match="uint8"):
        colored_and_gray(images, labels, correlation=1, rng=np.random.default_rng(0))
