import shutil
import struct
import subprocess
import sys
from collections import Counter

import crashing_decoder
import numpy as np
import pytest
from PIL import Image
from prepared_sets import assert_can_be_pickled, assert_same_clips, prepare, stored

from experiments.data.media import images
from experiments.data.miniatures import crema_d as miniature
from experiments.data.miniatures import media
from experiments.data.sets import crema_d
from experiments.errors import UserError

DATASET = crema_d.DATASET


def names(splits):
    return {split: [clip.name for clip in clips] for split, clips in splits.items()}


def test_every_clip_is_stored_once(examples):
    clips = [example["clip"].decode() for split in examples.values() for example in split]
    assert len(clips) == len(set(clips)) == 3 * 6


def test_the_label_is_the_emotion_in_the_name(examples):
    for example in [*examples["train"], *examples["test"]]:
        emotion = example["clip"].decode().split("_")[2]
        assert crema_d.CLASSES[example["label"]] == emotion


def test_without_lists_the_split_is_by_actor(examples):
    actors = {
        split: {example["clip"].decode()[:4] for example in examples[split]} for split in examples
    }
    assert actors == {"train": {"1001", "1002"}, "test": {"1005"}}


def test_18_of_the_91_actors_are_in_the_test_split(tmp_path):
    (tmp_path / "AudioWAV").mkdir()
    for actor in range(1001, 1092):
        for emotion in miniature.EMOTIONS:
            (tmp_path / "AudioWAV" / f"{actor}_IEO_{emotion}_HI.wav").touch()
    listed = names(crema_d.clips(tmp_path))
    actors = {split: {name[:4] for name in listed[split]} for split in listed}
    assert len(actors["train"]) == 73
    assert len(actors["test"]) == 18
    assert not actors["train"] & actors["test"]


def test_the_waveform_is_stored_at_22_khz(examples):
    for example in examples["train"]:
        waveform = example["waveform"]
        assert waveform.dtype == np.int16
        assert abs(len(waveform) - 1.7 * 22_050) < 3
        frequency = np.abs(np.fft.rfft(waveform)).argmax() * 22_050 / len(waveform)
        assert frequency == pytest.approx(200 * (example["label"] + 1), abs=1)


def test_a_picture_a_second_is_stored(examples):
    for example in examples["train"]:
        assert len(example["frames"]) == 2  # of 1.7 seconds
        assert images.decoded(example["frames"][0]).size == (64, 48)


@pytest.mark.parametrize("split", ["train", "test"])
def test_samples_have_the_shapes_and_types_that_are_promised(examples, split):
    rng = np.random.default_rng(0)
    for example in examples[split]:
        for sample in (crema_d.training(example, rng), crema_d.evaluation(example)):
            assert {name: (array.shape, array.dtype.name) for name, array in sample.items()} == {
                "audio": ((257, 188, 1), "float32"),
                "video": ((2, 224, 224, 3), "uint8"),
                "label": ((), "int32"),
            }
            assert sample["label"] == example["label"]


def test_the_spectrogram_is_of_three_seconds_of_the_tiled_waveform(examples):
    example = examples["train"][3]
    got = crema_d.evaluation(example)["audio"]
    repeated = np.concatenate([example["waveform"]] * 2)[:66_150] / 32_768
    padded = np.pad(repeated, 256)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    for column in (0, 50, 130, 187):
        frame = window * padded[353 * column : 353 * column + 512]
        wanted = np.abs(np.fft.rfft(frame)) + 1e-7
        np.testing.assert_allclose(np.exp(got[:, column, 0]), wanted, rtol=1e-3, atol=1e-5)


def test_evaluation_is_the_same_at_every_call_and_training_is_not(examples):
    example = examples["test"][0]
    first, second = crema_d.evaluation(example), crema_d.evaluation(example)
    for name in first:
        np.testing.assert_array_equal(first[name], second[name])
    frames = [images.jpeg(Image.fromarray(p)) for p in media.numbered(4, step=60)]
    ramp = example | {"frames": np.array(frames, object)}
    drawn = [
        crema_d.training(ramp, np.random.default_rng(seed))["video"] for seed in (1, 1, 2, 3, 4)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert len({video.tobytes() for video in drawn}) > 1


def test_the_transforms_can_be_pickled():
    assert_can_be_pickled(crema_d.training)
    assert_can_be_pickled(crema_d.evaluation)


def test_workers_prepare_the_same_set(archive, examples, tmp_path):
    opened = prepare(DATASET, tmp_path, archive, workers=2)
    for split, wanted in examples.items():
        assert_same_clips(stored(DATASET, opened, split), wanted)


def test_lists_decide_the_split_and_the_order(files):
    train = [f"{actor}_DFA_{e}_XX" for e in miniature.EMOTIONS for actor in (1005, 1001)]
    test = [f"1002_DFA_{emotion}_XX" for emotion in reversed(miniature.EMOTIONS)]
    miniature.write_list(files / "train.csv", train)
    miniature.write_list(files / "test.csv", test)
    assert names(crema_d.clips(files)) == {"train": train, "test": test}


def test_a_list_that_came_over_windows_is_read(files):
    miniature.write_list(files / "test.csv", [f"1002_DFA_{e}_XX" for e in miniature.EMOTIONS])
    train = [f"1001_DFA_{emotion}_XX" for emotion in miniature.EMOTIONS]
    lines = [f"{name},{name.split('_')[2]}" for name in train]
    (files / "train.csv").write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n\r\n").encode())
    assert names(crema_d.clips(files))["train"] == train


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1001_DFA_ANG_XX,SAD", r"train\.csv, line 7.*1001_DFA_ANG_XX,SAD"),
        ("1001_DFA_ANG_XX", r"train\.csv, line 7"),
        ("1001_DFA_ANG_XX,ANG,1", r"train\.csv, line 7"),
        ("clip,label", "'clip'"),
        ("1001_DFA_JOY_XX,JOY", "'1001_DFA_JOY_XX'"),
        ("1002_DFA_ANG_XX,ANG", "1002_DFA_ANG_XX is listed twice"),
        ("1005_DFA_ANG_XX,ANG", "1005_DFA_ANG_XX is in both"),
    ],
)
def test_a_wrong_line_of_a_list(tmp_path, line, message):
    for split, actor in (("train", 1002), ("test", 1005)):
        clips = [f"{actor}_DFA_{emotion}_XX" for emotion in miniature.EMOTIONS]
        miniature.write_list(tmp_path / f"{split}.csv", clips)
    with (tmp_path / "train.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(UserError, match=message):
        crema_d.clips(tmp_path)


@pytest.mark.parametrize("absent", ["train.csv", "test.csv"])
def test_one_list_without_the_other(tmp_path, absent):
    miniature.write(tmp_path, actors=(1001, 1005), seconds=0.1, lists=True)
    (tmp_path / absent).unlink()
    with pytest.raises(UserError, match=rf"{absent} is missing"):
        crema_d.clips(tmp_path)


def test_a_split_without_an_emotion(tmp_path):
    for actor in (1001, 1005):
        for emotion in miniature.EMOTIONS[:-1] if actor == 1005 else miniature.EMOTIONS:
            path = tmp_path / "AudioWAV" / f"{actor}_DFA_{emotion}_XX.wav"
            path.parent.mkdir(exist_ok=True)
            path.touch()
    with pytest.raises(UserError, match=r"test split .* no clip of SAD"):
        crema_d.clips(tmp_path)


def test_a_file_that_is_no_clip(files):
    (files / "AudioWAV" / "readme.wav").touch()
    with pytest.raises(UserError, match="'readme'"):
        crema_d.clips(files)


def test_hidden_files_are_no_clips(archive, files):
    (files / "AudioWAV" / "._1001_DFA_ANG_XX.wav").touch()
    assert names(crema_d.clips(files)) == names(crema_d.clips(archive))


def test_an_empty_folder_and_none(tmp_path):
    with pytest.raises(UserError, match=r"AudioWAV/\*\.wav and VideoFlash/\*\.flv"):
        crema_d.clips(tmp_path)
    with pytest.raises(UserError, match="--data-dir"):
        crema_d.clips(None)


def test_lists_without_any_of_their_files(tmp_path):
    miniature.write(tmp_path, actors=(1001, 1005), seconds=0.1, lists=True)
    shutil.rmtree(tmp_path / "AudioWAV")
    shutil.rmtree(tmp_path / "VideoFlash")
    with pytest.raises(UserError, match=r"AudioWAV/\*\.wav"):
        prepare(DATASET, tmp_path / "prepared", tmp_path)


def spoil(files):
    """One clip for each thing that can be wrong; returns what is expected of them."""
    audio, video = files / "AudioWAV", files / "VideoFlash"
    (audio / "1001_DFA_ANG_XX.wav").unlink()
    (video / "1001_DFA_DIS_XX.flv").unlink()
    (audio / "1001_DFA_FEA_XX.wav").write_bytes(b"RIFF")
    (video / "1001_DFA_HAP_XX.flv").write_text("not a video")
    contents = (audio / "1001_DFA_NEU_XX.wav").read_bytes()
    header = contents[: contents.index(b"data") + 4] + bytes(4)
    (audio / "1001_DFA_NEU_XX.wav").write_bytes(header)
    media.write(
        video / "1001_DFA_SAD_XX.flv",
        samples=media.sine(200, 1, 22_050),
        rate=22_050,
        codecs=(None, "libmp3lame"),
    )
    return {
        "1001_DFA_ANG_XX": "missing",
        "1001_DFA_DIS_XX": "missing",
        "1001_DFA_FEA_XX": "unreadable",
        "1001_DFA_HAP_XX": "unreadable",
        "1001_DFA_NEU_XX": "without audio",
        "1001_DFA_SAD_XX": "without video",
    }


@pytest.mark.parametrize("workers", [0, 2])
def test_unusable_clips_are_left_out_and_reported(files, tmp_path, capfd, workers):
    expected = spoil(files)
    opened = prepare(DATASET, tmp_path / "prepared", files, workers)
    skipped = opened.info.metadata["skipped"]
    assert {entry["sample"]: entry["reason"] for entry in skipped} == expected
    assert {entry["split"] for entry in skipped} == {"train"}
    kept = {example["clip"].decode() for example in stored(DATASET, opened, "train")}
    assert kept == {f"1002_DFA_{emotion}_XX" for emotion in miniature.EMOTIONS}
    errors = capfd.readouterr().err
    for reason, count in Counter(expected.values()).items():
        assert f"{count} {reason}" in errors


@pytest.mark.parametrize("workers", [0, 2])
def test_a_clip_that_ends_its_process_is_left_out_and_named(
    archive, tmp_path, monkeypatch, capfd, workers
):
    monkeypatch.setattr(crema_d, "decode", crashing_decoder.decode)
    opened = prepare(DATASET, tmp_path, archive, workers)
    assert opened.info.metadata["skipped"] == [
        {"split": "train", "sample": name, "reason": "fatal to the decoding process"}
        for name in crashing_decoder.SIGNALS
    ]
    assert len(stored(DATASET, opened, "train")) == 2 * 6 - 2
    assert "2 fatal to the decoding process" in capfd.readouterr().err


def test_a_waveform_whose_header_has_another_rate_is_left_out_and_named(files, tmp_path):
    path = files / "AudioWAV" / "1001_DFA_ANG_XX.wav"
    contents = bytearray(path.read_bytes())
    contents[24:32] = struct.pack("<II", 1, 2)
    path.write_bytes(contents)
    (entry,) = prepare(DATASET, tmp_path / "prepared", files).info.metadata["skipped"]
    assert (entry["sample"], entry["reason"]) == ("1001_DFA_ANG_XX", "with sound at 1 Hz")


def test_a_class_that_is_wholly_unusable(files, tmp_path):
    for actor in (1001, 1002):
        (files / "AudioWAV" / f"{actor}_DFA_FEA_XX.wav").write_bytes(b"")
    named = r"no train clip of FEA can be used \(1001_DFA_FEA_XX is unreadable\)"
    with pytest.raises(UserError, match=named):
        prepare(DATASET, tmp_path / "prepared", files)
    assert not (tmp_path / "prepared" / "crema_d").exists()


def test_the_transforms_do_not_need_tfds_or_pyav():
    code = (
        "import sys\n"
        "for name in ('tensorflow_datasets', 'array_record', 'av', 'tensorflow'):\n"
        "    sys.modules[name] = None\n"
        "import numpy as np\n"
        "from PIL import Image\n"
        "from experiments.data.media import images\n"
        "from experiments.data.sets import crema_d, kinetics_sounds\n"
        "frames = [images.jpeg(Image.new('RGB', (64, 48)))]\n"
        "example = {'waveform': np.ones(9000, np.int16), 'frames': frames, 'label': 1}\n"
        "print(crema_d.evaluation(example)['label'], kinetics_sounds.evaluation(example)['label'])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "1 1\n", result.stderr
