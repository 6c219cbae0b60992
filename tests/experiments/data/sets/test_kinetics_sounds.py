import av
import numpy as np
import pytest
from PIL import Image
from prepared_sets import assert_can_be_pickled, assert_same_clips, prepare, stored

from experiments.data.media import images
from experiments.data.miniatures import kinetics_sounds as miniature
from experiments.data.miniatures import media
from experiments.data.sets import kinetics_sounds
from experiments.data.storage.samples import samples
from experiments.errors import UserError

DATASET = kinetics_sounds.DATASET


def rows_of(files):
    return (files / "annotations.csv").read_text().splitlines()[1:]


@pytest.fixture
def listed(tmp_path):
    """A folder of annotations, and of videos of no content, for tests that decode nothing."""

    def write(*more):
        rows = [
            f"{label},a{index:02d}{number},10,20,{split}"
            for index, label in enumerate(miniature.CLASSES)
            for number, split in enumerate(("train", "val"))
        ]
        miniature.write_annotations(tmp_path, [*rows, *more])
        (tmp_path / "videos").mkdir()
        (tmp_path / "videos" / "a000_000010_000020.mp4").touch()
        return tmp_path

    return write


def test_the_classes_are_those_of_the_published_list():
    assert kinetics_sounds.CLASSES == miniature.CLASSES
    assert len(set(kinetics_sounds.CLASSES)) == 31


def test_every_clip_is_stored_once_in_the_order_of_the_rows(examples, archive):
    got = [(example["label"], example["clip"].decode()) for example in examples["train"]]
    wanted = []
    for row in rows_of(archive):
        label, identifier, start, end, split = row.split(",")
        if split == "train":
            name = f"{identifier}_{int(start):06d}_{int(end):06d}"
            wanted.append((miniature.CLASSES.index(label), name))
    assert got == wanted
    assert [example["label"] for example in examples["test"]] == list(range(31))


def test_the_waveform_is_stored_at_16_khz(examples):
    for example in examples["train"][::7]:
        waveform = example["waveform"]
        assert waveform.dtype == np.int16
        assert len(waveform) == 32_000  # cut where the clip ends
        frequency = np.abs(np.fft.rfft(waveform)).argmax() / 2
        assert frequency == pytest.approx(150 * (example["label"] + 1), abs=2)


def test_a_picture_a_second_is_stored(examples):
    for example in examples["train"][::7]:
        assert len(example["frames"]) == 2
        assert images.decoded(example["frames"][0]).size == (64, 48)


@pytest.mark.parametrize("split", ["train", "test"])
def test_samples_have_the_shapes_and_types_that_are_promised(examples, split):
    rng = np.random.default_rng(0)
    for example in examples[split][::9]:
        for sample in (
            kinetics_sounds.training(example, rng),
            kinetics_sounds.evaluation(example),
        ):
            assert {name: (array.shape, array.dtype.name) for name, array in sample.items()} == {
                "audio": ((1024, 128, 1), "float32"),
                "video": ((3, 224, 224, 3), "uint8"),
                "label": ((), "int32"),
            }
            assert sample["label"] == example["label"]


def example_of(waveform):
    frames = [images.jpeg(Image.fromarray(picture)) for picture in media.numbered(6, step=40)]
    return {"waveform": waveform, "frames": np.array(frames, object), "label": 4}


@pytest.mark.parametrize(("samples", "frames"), [(160_000, 998), (200_000, 1024), (300, 0)])
def test_the_filterbank_is_padded_with_zeros_or_cut_then_normalized(samples, frames):
    rng = np.random.default_rng(1)
    example = example_of((3_000 + 2_000 * rng.standard_normal(samples)).astype(np.int16))
    audio = kinetics_sounds.evaluation(example)["audio"]
    np.testing.assert_allclose(audio[frames:], 4.503877 / (2 * 5.141276), rtol=1e-6)
    energies = audio[:frames] * 2 * 5.141276 - 4.503877
    assert (energies.std(axis=(1, 2)) > 0.5).all()


def test_the_mean_of_the_waveform_is_removed():
    noise = (1_000 * np.random.default_rng(2).standard_normal(16_000)).astype(np.int16)
    still, shifted = (
        kinetics_sounds.evaluation(example_of(noise + np.int16(offset)))["audio"]
        for offset in (0, 9_000)
    )
    np.testing.assert_allclose(still, shifted, atol=1e-3)


def test_evaluation_is_the_same_at_every_call_and_training_is_not():
    example = example_of(np.ones(16_000, np.int16))
    first, second = kinetics_sounds.evaluation(example), kinetics_sounds.evaluation(example)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    drawn = [
        kinetics_sounds.training(example, np.random.default_rng(seed))["video"]
        for seed in (1, 1, 2, 3, 4)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert len({video.tobytes() for video in drawn}) > 1


def test_the_transforms_can_be_pickled():
    assert_can_be_pickled(kinetics_sounds.training)
    assert_can_be_pickled(kinetics_sounds.evaluation)


def test_class_folders_and_workers_give_the_same_set(examples, tmp_path):
    miniature.write(tmp_path / "files", folders=True)
    opened = prepare(DATASET, tmp_path / "prepared", tmp_path / "files", workers=2)
    for split, wanted in examples.items():
        assert_same_clips(stored(DATASET, opened, split), wanted)


def test_validation_and_test_clips_are_the_test_split(listed):
    more = [f"singing,more{split},0,10,{split}" for split in ("train", "validate", "val", "test")]
    splits = kinetics_sounds.clips(listed(*more)).splits
    names = {split: {clip.name for clip in clips} for split, clips in splits.items()}
    assert "moretrain_000000_000010" in names["train"]
    assert {f"more{split}_000000_000010" for split in ("validate", "val", "test")} < names["test"]


def test_other_classes_of_kinetics_are_counted_and_passed_over(listed):
    found = kinetics_sounds.clips(
        listed('"playing cello",b,0,10,train', "yoga,c,0,10,test", "laughing,d,0,10,test")
    )
    assert found.other_classes == 2
    assert {clip.label for clip in found.splits["train"]} == set(kinetics_sounds.CLASSES)


def test_the_count_of_other_classes_is_in_the_metadata(files, tmp_path):
    miniature.write_annotations(files, [*rows_of(files), "yoga,c,0,10,test"])
    opened = prepare(DATASET, tmp_path / "prepared", files)
    assert opened.info.metadata["other_classes"] == 1
    assert prepare(DATASET, tmp_path / "prepared", None).info.metadata["other_classes"] == 1


def test_more_columns_in_any_order_are_read(listed):
    folder = listed()
    rows = [row.split(",") for row in rows_of(folder)]
    lines = ["split,is_cc,time_end,time_start,youtube_id,label"]
    lines += [f"{split},0,{end},{start},{name},{label}" for label, name, start, end, split in rows]
    before = kinetics_sounds.clips(folder)
    (folder / "annotations.csv").write_text("\ufeff" + "\r\n".join(lines))
    assert kinetics_sounds.clips(folder) == before


@pytest.mark.parametrize(
    "name",
    ["x_000003_000005.mp4", "x_000003_000005.mkv", "singing/x_000003_000005.mp4", "a/b/x.mkv"],
)
def test_where_a_video_may_lie(listed, name):
    folder = listed("singing,x,3,5,train")
    path = folder / "videos" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    assert kinetics_sounds.clips(folder).splits["train"][-1].video == path


@pytest.mark.parametrize(
    ("suffix", "to_pipe"),
    [(".mp4", False), (".mkv", False), (".webm", False), (".mkv", True), (".webm", True)],
)
def test_a_whole_recording_is_cut_and_a_clip_is_not(tmp_path, suffix, to_pipe):
    codecs = ("vp9", "libopus") if suffix == ".webm" else ("libx264", "aac")
    rate = 48_000
    sound = np.concatenate([media.sine(300, 3, rate), media.sine(900, 3, rate)], axis=1)
    path = tmp_path / f"x{suffix}"
    pictures = media.numbered(60, step=4)
    media.write(path, pictures, sound, rate=rate, codecs=codecs, to_pipe=to_pipe)
    with av.open(path) as container:
        assert (container.duration is None) == to_pipe

    def decoded(start, seconds):
        segment = kinetics_sounds.Segment("x", "singing", path, path, start, seconds)
        example = kinetics_sounds.decode(segment)
        means = [np.asarray(images.decoded(frame)).mean() for frame in example["frames"]]
        spectrum = np.abs(np.fft.rfft(example["waveform"][2_000:10_000]))
        return np.round(np.array(means) / 4).tolist(), 2 * spectrum.argmax()

    assert decoded(3.0, 2.0) == ([35, 45], 900)
    assert decoded(0.0, 2.0) == ([5, 15], 300)
    # Six seconds are no longer than a clip of 5.5: it was cut already.
    assert decoded(3.0, 5.5) == ([5, 15, 25, 35, 45], 300)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("singing,x,0,10,holdout", "line 64.*holdout"),
        ("singing,x,0,ten,train", "line 64.*ten"),
        ("singing,x,10,0,train", "line 64"),
        ("singing,x", "line 64"),
        ("singing,a000,10,20,train", "line 64.*a000_000010_000020 is listed twice"),
    ],
)
def test_a_wrong_row(listed, row, message):
    with pytest.raises(UserError, match=message):
        kinetics_sounds.clips(listed(row))


def test_annotations_without_a_column(listed):
    folder = listed()
    (folder / "annotations.csv").write_text("label,youtube_id,time_start,time_end\n")
    with pytest.raises(UserError, match="no column split"):
        kinetics_sounds.clips(folder)


def test_a_class_without_a_clip(listed):
    folder = listed()
    rows = [row for row in rows_of(folder) if not row.startswith("tickling,a301")]
    miniature.write_annotations(folder, rows)
    with pytest.raises(UserError, match=r"test split .* no clip of tickling"):
        kinetics_sounds.clips(folder)


def test_missing_files(listed, tmp_path):
    with pytest.raises(UserError, match="--data-dir"):
        kinetics_sounds.clips(None)
    with pytest.raises(UserError, match=r"videos/YOUTUBEID_000010_000020\.mp4"):
        kinetics_sounds.clips(tmp_path)
    folder = listed()
    video = folder / "videos" / "a000_000010_000020.mp4"
    video.rename(video.with_name("another.mp4"))
    with pytest.raises(UserError, match="no file of a listed clip"):
        kinetics_sounds.clips(folder)
    (folder / "annotations.csv").unlink()
    with pytest.raises(UserError, match=r"annotations\.csv is missing"):
        kinetics_sounds.clips(folder)


def test_unusable_clips_are_left_out_and_reported(files, tmp_path, capfd):
    videos = files / "videos"
    names = [f"a-_{index:04d}0000_000000_000002" for index in range(5)]
    (videos / f"{names[0]}.mp4").unlink()
    (videos / f"{names[1]}.mp4").write_text("not a video")
    contents = (videos / f"{names[2]}.mp4").read_bytes()
    (videos / f"{names[2]}.mp4").write_bytes(contents[: len(contents) // 2])
    media.write(videos / f"{names[3]}.mp4", media.numbered(10))
    media.write(videos / f"{names[4]}.mp4", samples=media.sine(200, 2, 22_050), rate=22_050)
    opened = prepare(DATASET, tmp_path / "prepared", files)
    reasons = ["missing", "unreadable", "unreadable", "without audio", "without video"]
    skipped = opened.info.metadata["skipped"]
    assert [(entry["sample"], entry["reason"]) for entry in skipped] == list(
        zip(names, reasons, strict=True)
    )
    assert (
        len(list(samples(opened, "train", kinetics_sounds.DATASET.transforms).examples)) == 62 - 5
    )
    assert "left out 5 of 93 samples" in capfd.readouterr().err


def test_a_class_that_is_wholly_unusable(files, tmp_path):
    (files / "videos" / "a-_00070002_000020_000022.mp4").write_bytes(b"")
    with pytest.raises(UserError, match="no test clip of playing accordion can be used"):
        prepare(DATASET, tmp_path / "prepared", files)
    assert not (tmp_path / "prepared" / "kinetics_sounds").exists()
