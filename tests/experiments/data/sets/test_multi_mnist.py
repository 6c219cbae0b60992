import os

import numpy as np
import pytest
from prepared_sets import assert_same_splits

from experiments.data.sets import _mnist as mnist
from experiments.data.sets import multi_mnist
from experiments.data.storage import prepared
from experiments.errors import UserError


def side_by_side(images, labels, seed=0):
    return multi_mnist.side_by_side(images, labels, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def originals():
    """Gray images without black and white, so that noise shows; image i is all of one gray."""
    labels = np.random.default_rng(1).integers(10, size=2000)
    return np.random.default_rng(2).integers(1, 255, (2000, 8, 8)).astype(np.uint8), labels


@pytest.fixture(scope="module")
def fields(originals):
    return side_by_side(*originals)


def halves(fields):
    image = fields["image"][..., 0]
    width = image.shape[2] // 2
    return image[:, :, :width], image[:, :, width:]


def sources(originals, fields):
    """Which image each right half was made from: the one that agrees in the most pixels."""
    right = halves(fields)[1].reshape(len(fields["right"]), -1)
    images = originals[0].reshape(len(originals[0]), -1)
    return np.array([(images == row).sum(1).argmax() for row in right])


def test_shapes_and_types(fields):
    shapes = {name: (array.shape, array.dtype.name) for name, array in fields.items()}
    assert shapes == {
        "image": ((2000, 8, 16, 1), "uint8"),
        "left": ((2000,), "int32"),
        "right": ((2000,), "int32"),
    }


def test_the_left_half_is_an_image_without_noise_and_its_class(originals, fields):
    np.testing.assert_array_equal(halves(fields)[0], originals[0])
    np.testing.assert_array_equal(fields["left"], originals[1])


def test_each_image_is_used_once_on_the_right_with_its_class(originals, fields):
    source = sources(originals, fields)
    assert sorted(source) == list(range(2000))
    np.testing.assert_array_equal(fields["right"], originals[1][source])


def test_the_two_classes_differ(fields):
    assert (fields["left"] != fields["right"]).all()


def test_every_pair_of_classes_occurs_alike():
    labels = np.arange(36_000) % 10
    fields = side_by_side(np.zeros((36_000, 1, 1), np.uint8), labels)
    table = np.zeros((10, 10))
    np.add.at(table, (fields["left"], fields["right"]), 1)
    pairs = table[~np.eye(10, dtype=bool)]  # 400 each, with a standard deviation of 20
    assert pairs.min() > 320
    assert pairs.max() < 480


def test_half_of_the_right_pixels_are_noise_half_of_it_white(originals, fields):
    right = halves(fields)[1]
    kept = right == originals[0][sources(originals, fields)]
    # 128,000 pixels: three standard deviations are 0.0042 and 0.0036
    assert kept.mean() == pytest.approx(0.5, abs=0.0042)
    assert (right == 0).mean() == pytest.approx(0.25, abs=0.0036)
    assert (right == 255).mean() == pytest.approx(0.25, abs=0.0036)
    assert (kept | (right == 0) | (right == 255)).all()


def test_the_noise_is_independent_of_the_place_and_the_sample(fields):
    right = halves(fields)[1]
    noise = (right == 0) | (right == 255)
    assert np.abs(noise.mean(0) - 0.5).max() < 0.06
    assert np.abs(noise.mean((1, 2)) - 0.5).max() < 0.3
    assert len({row.tobytes() for row in noise}) == 2000


def test_the_generator_determines_the_result(originals, fields):
    np.testing.assert_array_equal(side_by_side(*originals)["image"], fields["image"])
    assert (side_by_side(*originals, seed=1)["right"] != fields["right"]).any()


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("labels", [[0, 1], [0, 0, 1, 2], [5, 5, 5, 1, 2, 1], [0, 0, 0, 1, 1, 1]])
def test_pairs_are_found_up_to_a_class_of_half_of_the_images(labels, seed):
    labels = np.array(labels)
    fields = side_by_side(np.zeros((len(labels), 2, 2), np.uint8), labels, seed)
    assert (fields["left"] != fields["right"]).all()
    assert sorted(fields["right"]) == sorted(labels)


def test_a_class_of_more_than_half_is_refused():
    with pytest.raises(ValueError, match="more than half"):
        side_by_side(np.zeros((3, 2, 2), np.uint8), np.array([1, 1, 2]))


def test_the_splits_are_those_of_mnist_and_the_same_at_every_call(miniature):
    folder, originals = miniature
    splits = multi_mnist.arrays(folder)
    for split, (images, labels) in originals.items():
        np.testing.assert_array_equal(splits[split]["image"][:, :, :28, 0], images)
        np.testing.assert_array_equal(splits[split]["left"], labels)
        assert splits[split]["image"].shape == (len(images), 28, 56, 1)
    assert_same_splits(multi_mnist.arrays(str(folder)), splits)


def test_prepared_equals_in_memory(miniature, tmp_path):
    folder = miniature[0]
    splits = multi_mnist.arrays(folder)
    room = tmp_path / "prepared"
    assert_same_splits(prepared.arrays(multi_mnist.DATASET.recipe, room, folder), splits)
    assert_same_splits(prepared.arrays(multi_mnist.DATASET.recipe, room), splits)


def test_no_folder_and_a_damaged_file(miniature):
    with pytest.raises(UserError, match="--data-dir"):
        multi_mnist.arrays(None)
    (miniature[0] / "t10k-images-idx3-ubyte.gz").write_bytes(b"")
    with pytest.raises(UserError, match="t10k-images"):
        multi_mnist.arrays(miniature[0])


@pytest.mark.slow
@pytest.mark.skipif("MMPARETO_MNIST" not in os.environ, reason="MMPARETO_MNIST names no folder")
def test_the_real_mnist():
    folder = os.environ["MMPARETO_MNIST"]
    splits = multi_mnist.arrays(folder)
    images, labels = mnist.read(folder)["train"]
    train = splits["train"]
    assert train["image"].shape == (60_000, 28, 56, 1)
    assert splits["test"]["image"].shape == (10_000, 28, 56, 1)
    np.testing.assert_array_equal(train["image"][:, :, :28, 0], images)
    np.testing.assert_array_equal(np.bincount(train["right"]), np.bincount(labels))
    assert (train["left"] != train["right"]).all()
