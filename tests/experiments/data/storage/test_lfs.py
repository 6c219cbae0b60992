"""A pointer of Git LFS in place of any file that is read is told, whatever it stands for."""

import shutil
import sys

import pytest

from experiments import data
from experiments.__main__ import main
from experiments.data import miniatures
from experiments.errors import UserError
from experiments.models.pretrained import state_dict

POINTER = (
    "version https://git-lfs.github.com/spec/v1\n"
    "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    "size 12345\n"
)

TOLD = "is a pointer of Git LFS, not the file itself: fetch the files with `git lfs pull`"


def replaced(folder, pattern):
    """Put a pointer in the place of the last file of a pattern."""
    path = sorted(folder.glob(pattern))[-1]
    path.write_text(POINTER)
    return path


@pytest.mark.parametrize(
    ("name", "miniature", "pattern"),
    [
        ("cg-mnist", miniatures.mnist, "train-images*"),
        ("multi-mnist", miniatures.mnist, "train-images*"),
        ("cmu-mosi", miniatures.cmu_mosi, "*.pkl"),
        ("uci-mfeat", miniatures.uci_mfeat, "mfeat-zer"),
    ],
)
def test_a_file_of_a_set_in_memory(tmp_path, name, miniature, pattern):
    miniature.write(tmp_path)
    path = replaced(tmp_path, pattern)
    with pytest.raises(UserError) as error:
        data.load(name, tmp_path)
    assert str(error.value).startswith(f"{path} {TOLD}")


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """The folders of miniatures that are written once, by name."""
    home = tmp_path_factory.mktemp("miniatures")
    miniatures.crema_d.write(home / "crema-d", actors=(1001, 1005), seconds=0.5, lists=True)
    miniatures.kinetics_sounds.write(home / "kinetics-sounds", splits=("train", "test"), seconds=1)
    miniatures.modelnet40.write(home / "modelnet40", counts={"train": 1, "test": 1}, side=8)
    miniatures.nyuv2.write(home / "nyuv2", counts={"train": 1, "val": 1})
    return home


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("crema-d", "AudioWAV/1001*.wav"),
        ("crema-d", "VideoFlash/1005*.flv"),
        ("crema-d", "train.csv"),
        ("kinetics-sounds", "videos/*.mp4"),
        ("kinetics-sounds", "annotations.csv"),
        ("modelnet40", "sofa/test/*_v001.png"),
        ("nyuv2", "val/depth/*.npy"),
    ],
)
def test_a_file_of_a_set_on_disk(folders, tmp_path, name, pattern):
    files = shutil.copytree(folders / name, tmp_path / "files")
    path = replaced(files, pattern)
    with pytest.raises(UserError) as error:
        data.load(name, files, tmp_path / "prepared")
    assert str(error.value).startswith(f"{path} {TOLD}")
    assert not (tmp_path / "prepared").exists()


def test_a_file_of_a_prepared_set(tmp_path):
    data.load("cg-digits", prepared_dir=tmp_path)
    path = replaced(tmp_path, "cg_digits/*/cg_digits-train*")
    with pytest.raises(UserError) as error:
        data.load("cg-digits", prepared_dir=tmp_path)
    assert str(error.value).startswith(f"{path} {TOLD}")


def test_weights(tmp_path):
    path = tmp_path / "weights.safetensors"
    path.write_text(POINTER)
    with pytest.raises(UserError) as error:
        state_dict.read(path)
    assert str(error.value).startswith(f"{path} {TOLD}")


def test_the_command_line_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    miniatures.cmu_mosi.write(tmp_path / "files")
    path = replaced(tmp_path / "files", "*.pkl")
    command = ["experiments", "prepare", "--dataset", "cmu-mosi"]
    folders = ["--data-dir", tmp_path / "files", "--prepared-dir", tmp_path / "prepared"]
    monkeypatch.setattr(sys, "argv", [*command, *map(str, folders)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert f"error: {path} {TOLD}" in capsys.readouterr().err
