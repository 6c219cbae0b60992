import os
import pickle

import numpy as np
import pytest
from prepared_sets import assert_same_splits

from experiments.data.miniatures import cmu_mosi as miniature
from experiments.data.sets import cmu_mosi
from experiments.data.storage import prepared
from experiments.errors import UserError

LAYOUTS = [
    {},
    {"aligned": False, "name": "mosi_data_noalign.pkl"},
    {"text_width": 768, "name": "aligned_50.pkl"},
    {"protocol": 2},
]


def original(**layout):
    return miniature.contents(**{k: v for k, v in layout.items() if k not in ("name", "protocol")})


def sentiment_of(samples):
    return samples["labels"][:, 0, 0] if "labels" in samples else samples["regression_labels"]


@pytest.fixture
def written(tmp_path):
    """Write what a function changes of the miniature, and read it."""

    def read(change):
        contents = miniature.contents()
        change(contents)
        (tmp_path / "mosi_data.pkl").write_bytes(pickle.dumps(contents))
        return cmu_mosi.arrays(tmp_path)

    return read


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_is_read(tmp_path, layout):
    miniature.write(tmp_path, **layout)
    contents = original(**layout)
    for split, fields in cmu_mosi.arrays(tmp_path).items():
        np.testing.assert_array_equal(fields["text"], contents[split]["text"], strict=True)
        for modality in ("audio", "vision"):
            assert fields[modality].dtype == np.float32
            assert fields[modality].shape == contents[split][modality].shape
        expected = [0 if value < 0 else 1 for value in sentiment_of(contents[split])]
        np.testing.assert_array_equal(fields["label"], np.array(expected, np.int32), strict=True)
        assert list(fields["label"][:3]) == [1, 0, 1]  # of 0, -0.2 and 0.2


@pytest.mark.parametrize("modality", ["audio", "vision"])
def test_frames_are_standardized_by_those_of_the_training_split(tmp_path, modality):
    miniature.write(tmp_path)
    contents = miniature.contents()
    splits = cmu_mosi.arrays(tmp_path)
    clean = {split: np.nan_to_num(contents[split][modality], neginf=0) for split in splits}
    frames = [frame for sample in clean["train"] for frame in sample if any(frame)]
    assert 0 < len(frames) < clean["train"][..., 0].size
    mean = np.mean(frames, axis=0)
    deviation = np.std(frames, axis=0)
    assert deviation[0] < 1e-9  # the constant one
    deviation[0] = 1
    for split, fields in splits.items():
        expected = (clean[split] - mean) / deviation
        expected[~clean[split].any(axis=2)] = 0
        np.testing.assert_allclose(fields[modality], expected, atol=1e-4)
        assert np.isfinite(fields[modality]).all()


def test_what_is_not_finite_becomes_zero_and_is_counted(tmp_path, written, capsys):
    def change(contents):
        contents["train"]["text"][0, 0, 0] = np.nan
        contents["test"]["vision"][0, 0, 0] = 1e300  # infinite in float32
        contents["valid"]["vision"][0, 0, 0] = np.nan  # is not read

    splits = written(change)
    assert splits["train"]["text"][0, 0, 0] == 0
    # two of audio in either split come with the miniature
    assert f"{tmp_path / 'mosi_data.pkl'}: 6 features" in capsys.readouterr().err


def test_nothing_is_reported_where_all_is_finite(written, capsys):
    def change(contents):
        for samples in contents.values():
            samples["audio"][~np.isfinite(samples["audio"])] = 1

    written(change)
    assert capsys.readouterr().err == ""


def test_the_validation_split_is_left_out(written):
    with_it = written(lambda contents: None)
    assert_same_splits(written(lambda contents: contents.pop("valid")), with_it)
    assert len(with_it["train"]["label"]) == miniature.SAMPLES["train"]


@pytest.mark.parametrize("layout", LAYOUTS[:3])
def test_prepared_equals_in_memory(tmp_path, layout):
    miniature.write(tmp_path / "files", **layout)
    splits = cmu_mosi.arrays(tmp_path / "files")
    room = tmp_path / "prepared"
    assert_same_splits(prepared.arrays(cmu_mosi.DATASET.recipe, room, tmp_path / "files"), splits)
    assert_same_splits(prepared.arrays(cmu_mosi.DATASET.recipe, room), splits)


def test_the_aligned_file_goes_first_and_others_must_be_alone(tmp_path):
    miniature.write(tmp_path, name="unaligned_50.pkl", text_width=768)
    assert cmu_mosi.arrays(tmp_path)["train"]["text"].shape[2] == 768
    miniature.write(tmp_path, name="aligned_50.pkl", text_width=768)
    with pytest.raises(UserError, match=r"several pickles \(aligned_50.pkl, unaligned_50.pkl\)"):
        cmu_mosi.arrays(tmp_path)
    miniature.write(tmp_path)
    assert cmu_mosi.arrays(tmp_path)["train"]["text"].shape[2] == 300


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.pop("test"), "no split 'test'"),
        (lambda c: c.update(train=[1, 2]), "no split 'train'"),
        (lambda c: c["train"].pop("audio"), "no array of numbers called 'audio'"),
        (lambda c: c["train"].update(text=np.array(["a"] * 24)), "called 'text'"),
        (lambda c: c["train"].update(audio=c["train"]["audio"][:, 0]), r"audio has .*\(24, 5\)"),
        (lambda c: c["train"].update(audio=c["train"]["audio"][:9]), "9 of audio, 24 labels"),
        (lambda c: c["test"].update(vision=c["test"]["vision"][..., :7]), "vision is .* test"),
        (lambda c: c["test"].pop("labels"), "called 'regression_labels'"),
        (lambda c: c["test"].update(labels=np.zeros((11, 7))), "not one number per sample"),
        (lambda c: c["test"].update(labels=np.full((11, 1, 1), 3.5)), "between -3 and 3"),
        (lambda c: c["test"].update(labels=np.full((11, 1, 1), np.nan)), "between -3 and 3"),
    ],
)
def test_another_layout_is_named(written, change, reason):
    with pytest.raises(UserError, match=reason) as error:
        written(change)
    assert "mosi_data.pkl" in str(error.value)
    assert "\n" not in str(error.value)


class Hidden:
    def __reduce__(self):
        return os.mkdir, ("ran",)


def test_code_in_the_pickle_is_not_executed(tmp_path, written, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="nothing was executed"):
        written(lambda contents: contents["valid"].update(id=[Hidden()]))
    assert not (tmp_path / "ran").exists()


def test_a_truncated_pickle(tmp_path):
    miniature.write(tmp_path)
    path = tmp_path / "mosi_data.pkl"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="truncated"):
        cmu_mosi.arrays(tmp_path)


def test_no_pickle_and_no_folder(tmp_path):
    with pytest.raises(UserError, match="has no pickle"):
        cmu_mosi.arrays(tmp_path)
    with pytest.raises(UserError, match="has no pickle"):
        cmu_mosi.arrays(tmp_path / "missing")
    with pytest.raises(UserError, match="--data-dir"):
        cmu_mosi.arrays(None)
