import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from experiments.data import DATASETS, load
from experiments.errors import UserError

REPOSITORY = Path(__file__).parents[3]


def assert_equal(got, wanted):
    assert got.keys() == wanted.keys() == {"train", "test"}
    for split in wanted:
        assert got[split].keys() == wanted[split].keys()
        for name, array in wanted[split].items():
            assert got[split][name].dtype == array.dtype
            np.testing.assert_array_equal(got[split][name], array)


def start(code, *arguments):
    """A Python process at the root of the repository."""
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, arguments)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def digits():
    return load("cg-digits")


@pytest.fixture(scope="module")
def prepared_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("prepared")
    load("cg-digits", prepared_dir=folder)
    return folder


@pytest.fixture
def prepared(prepared_once, tmp_path):
    """A prepared cg-digits that the test may damage: the root, and the folder of the set."""
    root = shutil.copytree(prepared_once, tmp_path / "prepared")
    return root, root / "cg_digits" / "1.1.0"


def test_digits_are_the_bundled_images_split_in_proportion(digits):
    from sklearn.datasets import load_digits

    bundled = load_digits()
    train, test = digits["train"], digits["test"]
    assert train["gray"].shape == (1297, 8, 8, 1)
    assert test["color"].shape == (500, 8, 8, 3)
    for label in range(10):
        images = np.concatenate(
            [part["gray"][part["label"] == label, ..., 0] for part in (train, test)]
        )
        originals = np.rint(bundled.images[bundled.target == label] * 255 / 16)
        assert sorted(map(bytes, images)) == sorted(map(bytes, originals.astype(np.uint8)))
        proportion = (test["label"] == label).sum() / len(originals)
        assert proportion == pytest.approx(500 / 1797, abs=0.005)


def test_digits_are_the_same_at_every_call(digits):
    assert_equal(load("cg-digits"), digits)


def test_prepared_equals_in_memory(digits, prepared_once):
    assert_equal(load("cg-digits", prepared_dir=prepared_once), digits)


def test_a_prepared_set_is_not_prepared_again(digits, prepared):
    root, home = prepared
    before = {path: path.stat().st_mtime_ns for path in home.iterdir()}
    assert_equal(load("cg-digits", prepared_dir=str(root)), digits)
    assert {path: path.stat().st_mtime_ns for path in home.iterdir()} == before


def test_mnist_prepared_equals_in_memory_and_needs_its_files_once(miniature, tmp_path):
    files, originals = miniature
    in_memory = load("cg-mnist", data_dir=files)
    for split, (images, labels) in originals.items():
        np.testing.assert_array_equal(in_memory[split]["gray"][..., 0], images)
        np.testing.assert_array_equal(in_memory[split]["label"], labels)
    assert_equal(load("cg-mnist", files, tmp_path / "prepared"), in_memory)
    assert_equal(load("cg-mnist", prepared_dir=tmp_path / "prepared"), in_memory)


def test_the_registry_describes_what_is_loaded(digits):
    dataset = DATASETS["cg-digits"]
    assert digits["train"].keys() == {*dataset.modalities, "label"}
    assert set(digits["train"]["label"]) == set(range(dataset.heads["joint"].num_outputs))


def test_a_set_read_from_disk_is_not_made_in_memory():
    with pytest.raises(UserError, match=r"nyuv2 does not fit in memory.*--prepared-dir"):
        load("nyuv2", data_dir="data/nyuv2")


def test_an_unknown_name():
    with pytest.raises(UserError, match=r"'mnist'.*cg-digits, cg-mnist"):
        load("mnist")


@pytest.mark.parametrize("prepare", [False, True])
def test_mnist_without_its_folder(tmp_path, prepare):
    with pytest.raises(UserError, match="--data-dir"):
        load("cg-mnist", prepared_dir=tmp_path / "prepared" if prepare else None)


def test_damaged_files_are_reported_by_the_preparation_too(miniature, tmp_path):
    (miniature[0] / "t10k-labels-idx1-ubyte.gz").write_bytes(b"")
    with pytest.raises(UserError, match="t10k-labels") as error:
        load("cg-mnist", miniature[0], tmp_path / "prepared")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "prepared" / "cg_mnist").exists()


def test_in_memory_sets_need_no_tfds_no_pillow_and_no_progress_bar():
    code = (
        "import sys\n"
        "for name in ('tensorflow_datasets', 'array_record', 'PIL', 'tqdm', 'tensorflow'):\n"
        "    sys.modules[name] = None\n"
        "from experiments.data import load\n"
        "print(len(load('cg-digits')['train']['label']))\n"
    )
    output, errors = start(code).communicate(timeout=60)
    assert output == "1297\n", errors


def test_preparing_opens_no_connection(tmp_path, monkeypatch):
    def refuse(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    load("cg-digits", prepared_dir=tmp_path)


def test_a_kill_in_the_middle_of_preparing_is_followed_by_a_clean_start(digits, tmp_path):
    code = (
        "import itertools, sys, time\n"
        "from experiments.data import load\n"
        "from experiments.data.storage import from_arrays\n"
        "encode, count = from_arrays.png, itertools.count()\n"
        "def slow(pixels):\n"
        "    if next(count) == 3000:\n"
        "        print('in the test split', flush=True)\n"
        "        time.sleep(60)\n"
        "    return encode(pixels)\n"
        "from_arrays.png = slow\n"
        "load('cg-digits', prepared_dir=sys.argv[1])\n"
    )
    process = start(code, tmp_path)
    while "in the test split" not in (line := process.stdout.readline()):
        assert line, process.communicate()[1]
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = [path.name for path in (tmp_path / "cg_digits").iterdir()]
    assert len(left) == 1
    assert left[0].startswith("incomplete.")
    assert_equal(load("cg-digits", prepared_dir=tmp_path), digits)
    assert [path.name for path in (tmp_path / "cg_digits").iterdir()] == ["1.1.0"]


def test_processes_that_prepare_at_once_do_not_disturb_each_other(digits, tmp_path):
    code = (
        "import sys; from experiments.data import load\n"
        "load('cg-digits', prepared_dir=sys.argv[1])\n"
    )
    processes = [start(code, tmp_path) for _ in range(2)]
    errors = [process.communicate(timeout=120)[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], errors
    assert_equal(load("cg-digits", prepared_dir=tmp_path), digits)


def shard(home):
    return next(home.glob("*train.array_record*"))


def unlink_shard(home):
    shard(home).unlink()


def empty_shard(home):
    os.truncate(shard(home), 0)


def truncate_shard(home):
    os.truncate(shard(home), shard(home).stat().st_size // 2)


def flip_a_bit(home):
    contents = bytearray(shard(home).read_bytes())
    contents[len(contents) // 3] ^= 1
    shard(home).write_bytes(contents)


def unlink_description(home):
    (home / "dataset_info.json").unlink()


def cut_description(home):
    os.truncate(home / "dataset_info.json", 50)


def empty_folder(home):
    for path in home.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    "damage",
    [
        unlink_shard,
        empty_shard,
        truncate_shard,
        flip_a_bit,
        unlink_description,
        cut_description,
        empty_folder,
    ],
)
def test_a_damaged_set_is_an_error_that_names_its_folder(digits, prepared, damage):
    root, home = prepared
    damage(home)
    with pytest.raises(UserError, match="damaged") as error:
        load("cg-digits", prepared_dir=root)
    assert f"delete the folder {home}" in str(error.value)
    assert "\n" not in str(error.value)
    shutil.rmtree(home)
    assert_equal(load("cg-digits", prepared_dir=root), digits)


@pytest.mark.slow
@pytest.mark.skipif(
    "MMPARETO_MNIST" not in os.environ, reason="MMPARETO_MNIST names no folder of MNIST files"
)
def test_the_real_mnist(tmp_path):
    files = os.environ["MMPARETO_MNIST"]
    in_memory = load("cg-mnist", files)
    assert in_memory["train"]["color"].shape == (60_000, 28, 28, 3)
    assert in_memory["test"]["gray"].shape == (10_000, 28, 28, 1)
    assert np.bincount(in_memory["train"]["label"])[[0, 1, 9]].tolist() == [5923, 6742, 5949]
    assert_equal(load("cg-mnist", files, tmp_path), in_memory)
