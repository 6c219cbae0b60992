import io
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image
from prepared_sets import prepare

from experiments.data.miniatures import modelnet40 as miniature
from experiments.data.sets import modelnet40
from experiments.data.storage import prepared
from experiments.errors import UserError

DATASET = modelnet40.DATASET

SIX_VIEWS = range(0, 12, 2)


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A miniature of six views, quicker to write and read than one of twelve."""
    folder = tmp_path_factory.mktemp("modelnet40")
    miniature.write(folder, views=SIX_VIEWS, side=16)
    return folder


def examples(opened, split):
    decoders = {"front": tfds.decode.SkipDecoding(), "back": tfds.decode.SkipDecoding()}
    return list(opened.as_data_source(split, decoders=decoders))


def file(folder, name, number, view, split="train", spelling=miniature.SHADED):
    name_of_file = spelling.format(name=f"{name}_{number:04d}", view=view)
    return folder / name / split / name_of_file


def test_the_classes_are_the_published_ones():
    assert modelnet40.CLASSES == miniature.CLASSES
    assert len(modelnet40.CLASSES) == 40


@pytest.mark.parametrize("spelling", [miniature.SHADED, miniature.PLAIN])
@pytest.mark.parametrize(
    ("views", "front", "back"),
    [
        (range(1, 13), 1, 7),
        (range(12), 0, 6),
        (range(1, 13, 2), 1, 7),
        ((0, 3, 6, 9), 0, 6),
        ((1, 7), 1, 7),
    ],
)
def test_front_and_back_are_half_a_turn_apart(tmp_path, spelling, views, front, back):
    for name in miniature.CLASSES:
        for split in ("train", "test"):
            (tmp_path / name / split).mkdir(parents=True)
            for view in views:
                file(tmp_path, name, 5, view, split, spelling).touch()
    found = list(modelnet40.objects(tmp_path, "test"))
    assert [item.label for item in found] == list(range(40))
    assert found[15].name == "flower_pot/flower_pot_0005"
    for item, name in zip(found, miniature.CLASSES, strict=True):
        assert item.front == file(tmp_path, name, 5, front, "test", spelling)
        assert item.back == file(tmp_path, name, 5, back, "test", spelling)


def test_what_is_prepared_are_the_files(archive, tmp_path):
    opened = prepare(DATASET, tmp_path, archive)
    assert opened.info.features["label"].names == list(miniature.CLASSES)
    for split, count in miniature.COUNTS.items():
        read = examples(opened, split)
        assert [example["label"] for example in read] == list(np.repeat(range(40), count))
        for place, example in enumerate(read):
            name = miniature.CLASSES[example["label"]]
            number = place % count + 1 + (2 if split == "test" else 0)
            assert example["front"] == file(archive, name, number, 0, split).read_bytes()
            assert example["back"] == file(archive, name, number, 6, split).read_bytes()
    assert prepared.skipped(opened) == ""


def test_the_same_at_every_preparation(archive, tmp_path):
    first, second = (examples(prepare(DATASET, tmp_path / name, archive), "train") for name in "ab")
    assert first == second


def test_objects_without_a_view_or_with_a_damaged_one_are_left_out_and_counted(
    files, tmp_path, capsys
):
    file(files, "airplane", 1, 0).unlink()
    file(files, "bed", 2, 6).unlink()
    file(files, "car", 1, 2).unlink()  # is not used
    back = file(files, "vase", 2, 6)
    back.write_bytes(back.read_bytes()[:-30])
    file(files, "sofa", 1, 0).write_bytes(b"")
    opened = prepare(DATASET, tmp_path / "prepared", files)
    labels = np.bincount([example["label"] for example in examples(opened, "train")])
    short = {miniature.CLASSES[label] for label in np.flatnonzero(labels == 1)}
    assert short == {"airplane", "bed", "vase", "sofa"}
    assert len(examples(opened, "test")) == 40
    report = capsys.readouterr().err
    assert "left out 4 of 120 samples" in report
    for reason in ("2 with a damaged view", "1 without its front view", "1 without its back view"):
        assert reason in report
    samples = {sample["sample"] for sample in opened.info.metadata["skipped"]}
    assert samples == {
        "airplane/airplane_0001", "bed/bed_0002", "vase/vase_0002", "sofa/sofa_0001"
    }  # fmt: skip


def refusal(files, tmp_path):
    with pytest.raises(UserError) as error:
        prepare(DATASET, tmp_path / "prepared", files)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_class_of_which_nothing_is_left(files, tmp_path):
    file(files, "door", 3, 6, "test").write_bytes(b"no image")
    assert "no test object of door" in refusal(files, tmp_path)


def test_missing_and_unknown_classes_are_named(files, tmp_path):
    (files / "bed").rename(files / "beds")
    (files / "xbox").rename(files / ".xbox")
    assert "lacks the classes bed, xbox" in refusal(files, tmp_path)
    shutil.copytree(files / "beds", files / "bed")
    (files / ".xbox").rename(files / "xbox")
    assert "has the folders beds, which are no classes" in refusal(files, tmp_path)


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_class_without_images(files, tmp_path, split):
    shutil.rmtree(files / "tent" / split)
    assert f"tent/{split} has no image" in refusal(files, tmp_path)
    (files / "tent" / split).mkdir()
    (files / "tent" / split / "README.txt").touch()
    assert f"tent/{split} has no image" in refusal(files, tmp_path)


def test_an_image_with_another_name(files, tmp_path):
    (files / "tent" / "train" / "tent.png").touch()
    assert "tent.png is not called" in refusal(files, tmp_path)


@pytest.mark.parametrize("view", [12, 1, 25])
def test_views_that_are_not_around_the_object(files, tmp_path, view):
    file(files, "tent", 1, view).touch()
    assert "must be 12 around the object" in refusal(files, tmp_path)


def test_no_folder(tmp_path):
    with pytest.raises(UserError, match="--data-dir"):
        prepare(DATASET, tmp_path, None)
    assert "is no folder" in refusal(tmp_path / "missing", tmp_path)


def png(mode="L", side=224):
    pixels = np.arange(side * side).reshape(side, side) % 251
    image = Image.fromarray(pixels.astype(np.uint8)).convert(mode)
    contents = io.BytesIO()
    image.save(contents, "PNG")
    return contents.getvalue(), np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P"])
def test_evaluation_gives_the_pixels_in_rgb(mode):
    contents, pixels = png(mode)
    sample = modelnet40.evaluation({"front": contents, "back": contents, "label": 7})
    assert sample.keys() == {"front", "back", "label"}
    np.testing.assert_array_equal(sample["front"], pixels, strict=True)
    np.testing.assert_array_equal(sample["back"], pixels, strict=True)
    np.testing.assert_array_equal(sample["label"], np.int32(7), strict=True)


def test_other_sizes_become_224():
    contents, _ = png(side=100)
    sample = modelnet40.evaluation({"front": contents, "back": contents, "label": 7})
    assert sample["front"].shape == (224, 224, 3)


def test_training_mirrors_each_view_on_its_own_in_half_of_the_samples():
    contents, pixels = png()
    example = {"front": contents, "back": contents, "label": 7}
    mirrored = []
    for seed in range(200):
        sample = modelnet40.training(example, np.random.default_rng(seed))
        for view in ("front", "back"):
            is_mirrored = (sample[view] == pixels[:, ::-1]).all()
            assert is_mirrored or (sample[view] == pixels).all()
            mirrored.append(is_mirrored)
    table = np.array(mirrored).reshape(-1, 2)
    # three standard deviations of a share of 200 draws of 1/2 and of 1/4
    assert table.mean(0) == pytest.approx([0.5, 0.5], abs=0.107)
    assert table.all(1).mean() == pytest.approx(0.25, abs=0.092)


def test_the_generator_determines_the_sample():
    contents, _ = png()
    example = {"front": contents, "back": contents, "label": 7}
    first, second = (modelnet40.training(example, np.random.default_rng(3)) for _ in range(2))
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])


def test_an_object_with_a_view_without_a_white_is_left_out_with_the_reason(tmp_path):
    files = tmp_path / "files"
    miniature.write(files, counts={"train": 2, "test": 1}, side=8)
    path = sorted((files / "sofa" / "train").glob("*v001.png"))[0]
    Image.fromarray(np.zeros((8, 8), np.float32)).save(path, "TIFF")
    opened = prepare(DATASET, tmp_path / "prepared", files)
    (entry,) = opened.info.metadata["skipped"]
    assert entry["sample"].startswith("sofa/")
    assert entry["reason"] == "with a view in the color mode F, which has no white"
