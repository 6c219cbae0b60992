import io
import itertools
import os
import pickle
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from prepared_sets import prepare

from experiments.data.miniatures import nyuv2 as miniature
from experiments.data.sets import nyuv2
from experiments.data.storage import prepared
from experiments.errors import UserError

DATASET = nyuv2.DATASET


def examples(opened, split):
    return list(opened.as_data_source(split, decoders={"image": tfds.decode.SkipDecoding()}))


def assert_equal(got, wanted):
    assert got.keys() == wanted.keys()
    for name, field in wanted.items():
        np.testing.assert_array_equal(got[name], field, strict=True)


@pytest.mark.parametrize("test", ["val", "test"])
def test_what_is_prepared_are_the_files(tmp_path, test):
    miniature.write(tmp_path / "files", test=test)
    opened = prepare(DATASET, tmp_path / "prepared", tmp_path / "files")
    for split, original in (("train", "train"), ("test", "val")):
        read = examples(opened, split)
        assert len(read) == miniature.COUNTS[original]
        for number, example in enumerate(read):
            scene = miniature.scene(original, number)
            sample = nyuv2.evaluation(example)
            assert sample.keys() == {"image", "segmentation", "depth"}
            assert sample["image"].dtype == np.uint8
            assert np.abs(sample["image"] / 255 - scene["image"]).max() <= 1 / 510
            label = scene["label"].astype(np.int32)
            np.testing.assert_array_equal(sample["segmentation"], label, strict=True)
            np.testing.assert_array_equal(sample["depth"], scene["depth"], strict=True)
    assert prepared.skipped(opened) == ""


def test_images_of_eight_bits_are_kept_exactly(tmp_path):
    miniature.write(tmp_path)
    pixels = np.random.default_rng(0).integers(256, size=(288, 384, 3)).astype(np.uint8)
    for dtype in (np.float32, np.float64):
        np.save(tmp_path / "train" / "image" / "0.npy", (pixels / 255).astype(dtype))
        scene = next(nyuv2.scenes(tmp_path, "train"))
        np.testing.assert_array_equal(nyuv2.read(scene.files)["image"], pixels, strict=True)


def test_scenes_are_in_the_order_of_their_numbers(files):
    for field in nyuv2.FIELDS:
        shutil.copy(files / "train" / field / "0.npy", files / "train" / field / "10.npy")
    assert [scene.number for scene in nyuv2.scenes(files, "train")] == [0, 1, 2, 10]


def test_scenes_without_a_file_are_left_out_and_counted(files, tmp_path, capsys):
    (files / "train" / "label" / "0.npy").unlink()
    (files / "train" / "image" / "2.npy").unlink()
    (files / "val" / "depth" / "1.npy").unlink()
    opened = prepare(DATASET, tmp_path / "prepared", files)
    assert [len(examples(opened, split)) for split in ("train", "test")] == [1, 1]
    report = capsys.readouterr().err
    assert "left out 3 of 5 samples" in report
    for reason in ("1 without label", "1 without image", "1 without depth"):
        assert reason in report


def refusal(files, tmp_path):
    with pytest.raises(UserError) as error:
        prepare(DATASET, tmp_path / "prepared", files)
    assert "\n" not in str(error.value)
    return str(error.value)


class Hidden:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def with_objects():
    array = np.empty((288, 384, 3), object)
    array[0, 0, 0] = Hidden()
    return array


FIELD = np.zeros((288, 384), np.float32)


@pytest.mark.parametrize(
    ("field", "array", "reason"),
    [
        ("image", np.zeros((3, 288, 384)), r"its shape is \(3, 288, 384\), not \(288, 384, 3\)"),
        ("image", np.full((288, 384, 3), 200.0), "intensities"),
        ("image", np.full((288, 384, 3), np.nan), "intensities"),
        ("image", with_objects(), "[Oo]bject"),
        ("image", np.full((288, 384, 3), "a"), "it has no numbers"),
        ("label", FIELD[:-1], "its shape"),
        ("label", FIELD + 13, "labels other than -1 to 12"),
        ("label", FIELD - 2, "labels other than"),
        ("label", FIELD + 0.5, "labels other than"),
        ("label", FIELD + np.nan, "labels other than"),
        ("depth", FIELD, "its shape"),
        ("depth", FIELD[..., None] - 1, "depths"),
        ("depth", FIELD[..., None] + np.inf, "depths"),
    ],
)
def test_other_shapes_and_values_are_refused(files, tmp_path, monkeypatch, field, array, reason):
    monkeypatch.chdir(tmp_path)
    np.save(files / "train" / field / "1.npy", array, allow_pickle=True)
    with pytest.raises(UserError, match=reason) as error:
        prepare(DATASET, tmp_path / "prepared", files)
    assert f"train/{field}/1.npy cannot be used" in str(error.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[:50],
        lambda whole: whole[:-1000],
        lambda whole: b"\x93NUMPY\x01\0\x0d\0{'descr': 3}\n" + whole[100:],
        lambda whole: b"PK\3\4" + whole,
        lambda whole: pickle.dumps(Hidden()),
    ],
)
def test_damaged_files_are_named(files, tmp_path, monkeypatch, damage):
    monkeypatch.chdir(tmp_path)
    path = files / "val" / "depth" / "0.npy"
    path.write_bytes(damage(path.read_bytes()))
    assert "val/depth/0.npy cannot be used" in refusal(files, tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.filterwarnings("ignore:Reading `.npy`")
def test_any_byte_of_a_header_changed_gives_the_scene_or_a_refusal(files):
    scene = next(nyuv2.scenes(files, "train"))
    whole = scene.files["label"].read_bytes()
    assert whole.index(b"\n") == 127
    rng = np.random.default_rng(0)
    for position in range(128):
        scene.files["label"].write_bytes(whole[:position] + rng.bytes(1) + whole[position + 1 :])
        try:
            nyuv2.read(scene.files)
        except UserError as error:
            assert "label/0.npy cannot be used" in str(error)  # noqa: PT017


def test_unknown_layouts(files, tmp_path):
    shutil.copytree(files / "val", files / "test")
    assert "has both val and test" in refusal(files, tmp_path)
    shutil.rmtree(files / "val")
    shutil.rmtree(files / "test")
    assert "has no folder val or test" in refusal(files, tmp_path)


def test_a_missing_field_and_a_file_with_another_name(files, tmp_path):
    (files / "train" / "label" / "x.npy").touch()
    assert "x.npy is not called NUMBER.npy" in refusal(files, tmp_path)
    shutil.rmtree(files / "train" / "label")
    assert "train/label is missing" in refusal(files, tmp_path)


def test_a_split_of_which_nothing_is_left(files, tmp_path):
    for path in (files / "val" / "depth").iterdir():
        path.unlink()
    assert "no test scene" in refusal(files, tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="--data-dir"):
        prepare(DATASET, tmp_path, None)
    assert "has no folder train" in refusal(tmp_path / "missing", tmp_path)


def example(number=0):
    scene = miniature.scene("train", number)
    file = io.BytesIO()
    Image.fromarray(np.rint(scene["image"] * 255).astype(np.uint8)).save(file, "PNG")
    return {
        "image": file.getvalue(),
        "segmentation": scene["label"].astype(np.int8),
        "depth": scene["depth"],
    }


def scale_of(sample):
    """Depth is c / 2 + 1 over the scale, where class c is known and so is the depth."""
    known = (sample["segmentation"] >= 0) & (sample["depth"][..., 0] > 0)
    scales = (sample["segmentation"][known] / 2 + 1) / sample["depth"][known][:, 0]
    np.testing.assert_allclose(scales, scales[0], rtol=1e-6)
    return scales[0]


@pytest.mark.parametrize("seed", range(12))
def test_augmented_images_and_labels_stay_aligned(seed):
    sample = nyuv2.training(example(), np.random.default_rng(seed))
    shapes = {name: (field.shape, field.dtype.name) for name, field in sample.items()}
    assert shapes == {
        "image": ((288, 384, 3), "uint8"),
        "segmentation": ((288, 384), "int32"),
        "depth": ((288, 384, 1), "float32"),
    }
    scale_of(sample)  # of depth and label
    # The red of a pixel is 19 times its class, but where rectangles of another class are near.
    classes = np.where(sample["segmentation"] == -1, 13, sample["segmentation"])
    wrong = sample["image"][..., 0] != 19 * classes
    near = np.zeros(classes.shape, bool)
    for shift in itertools.product(range(-2, 3), repeat=2):
        near |= np.roll(classes, shift, (0, 1)) != classes
    assert not (wrong & ~near).any()
    assert wrong.mean() < 0.12


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("seed", range(12))
def test_the_border_of_the_labels_is_where_the_image_is_half_blended(seed, axis):
    stripes = np.random.default_rng(seed).integers(2, size=(288, 384)[axis])
    label = np.broadcast_to(np.expand_dims(stripes, 1 - axis), (288, 384)).astype(np.int8)
    file = io.BytesIO()
    Image.fromarray(np.repeat(255 * label.astype(np.uint8)[..., None], 3, 2)).save(file, "PNG")
    whole = {**example(), "image": file.getvalue(), "segmentation": label}
    sample = nyuv2.training(whole, np.random.default_rng(seed))
    image = sample["image"][..., 0].astype(float)
    is_clear = np.abs(image - 127.5) > 1
    assert is_clear.mean() > 0.75
    np.testing.assert_array_equal(
        (image > 127.5)[is_clear], (sample["segmentation"] == 1)[is_clear]
    )


def test_scales_and_mirroring_are_drawn_as_often_as_they_should():
    whole = example()
    original = nyuv2.evaluation(whole)
    scales, mirrored = [], []
    for seed in range(150):
        sample = nyuv2.training(whole, np.random.default_rng(seed))
        scales.append(round(float(scale_of(sample)), 3))
        if scales[-1] == 1:
            turned = {name: field[:, ::-1] for name, field in sample.items()}
            mirrored.append((turned["image"] == original["image"]).all())
            assert_equal(turned if mirrored[-1] else sample, original)
    assert set(scales) == {1.0, 1.2, 1.5}
    # three standard deviations of a share of 150 draws of 1/3, and of some 50 of 1/2
    for scale in (1.0, 1.2, 1.5):
        assert scales.count(scale) / 150 == pytest.approx(1 / 3, abs=0.116)
    assert np.mean(mirrored) == pytest.approx(0.5, abs=0.22)


def test_crops_reach_every_border():
    """Where they lie, by an image that counts rows and columns."""
    pixels = np.zeros((288, 384, 3), np.uint8)
    rows, columns = np.mgrid[:288, :384]
    whole = {**example(), "depth": (1 + rows * 384 + columns)[..., None].astype(np.float32)}
    whole["segmentation"] = np.zeros((288, 384), np.int8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    whole["image"] = file.getvalue()
    corners = {1.2: [], 1.5: []}
    for seed in range(300):
        depth = nyuv2.training(whole, np.random.default_rng(seed))["depth"][..., 0]
        steps = len(np.unique(depth))
        scale = {288 * 384: 1.0, 240 * 320: 1.2, 192 * 256: 1.5}[steps]
        if scale > 1:
            first = np.rint(depth.min() * np.float32(scale)).astype(int) - 1
            corners[scale].append(divmod(first, 384))
    for scale, found in corners.items():
        most = np.array([288, 384]) - np.rint(np.array([288, 384]) / scale)
        places = np.array(found) / most
        assert places.min() >= 0
        assert places.max() <= 1
        assert places.min() < 0.06
        assert places.max() > 0.94
        np.testing.assert_allclose(places.mean(0), 0.5, atol=0.12)


def test_the_generator_determines_the_sample():
    first, second = (nyuv2.training(example(), np.random.default_rng(4)) for _ in range(2))
    assert_equal(first, second)
