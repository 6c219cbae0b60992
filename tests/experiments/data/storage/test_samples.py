"""Splits that are read sample by sample: what becomes of damage on disk."""

import pickle
import shutil

import cloudpickle
import jax
import pytest

from experiments.data import load
from experiments.data.miniatures import nyuv2
from experiments.engine import devices, feeds
from experiments.errors import UserError


@pytest.fixture(scope="module")
def prepared_once(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nyuv2")
    nyuv2.write(folder / "files")
    load("nyuv2", folder / "files", folder / "prepared")
    return folder / "prepared"


@pytest.fixture
def prepared(prepared_once, tmp_path):
    """A prepared NYUv2 that the test may damage: the root, and the shard of the training split."""
    root = shutil.copytree(prepared_once, tmp_path / "prepared")
    (shard,) = root.glob("nyuv2/*/*train.array_record*")
    return root, shard


def cut(shard):
    shard.write_bytes(shard.read_bytes()[: shard.stat().st_size * 2 // 3])


def empty(shard):
    shard.write_bytes(b"")


def flip(shard):
    """Damage in the record of a scene, which opening does not notice."""
    content = bytearray(shard.read_bytes())
    middle = len(content) // 2 + 100
    content[middle : middle + 64] = bytes(255 - byte for byte in content[middle : middle + 64])
    shard.write_bytes(content)


def read(root, workers=0):
    feed = feeds.build(load("nyuv2", None, root), 1, devices.make_mesh(), workers)
    return list(feed.training(jax.random.PRNGKey(0), range(feed.steps_per_epoch)))


@pytest.mark.parametrize("damage", [cut, empty, flip, lambda shard: shard.unlink()])
def test_damage_is_an_error_that_names_the_folder(prepared, damage):
    root, shard = prepared
    read(root)
    damage(shard)
    with pytest.raises(UserError, match="damaged") as error:
        read(root)
    assert f"delete the folder {shard.parent}" in str(error.value)
    assert "\n" not in str(error.value)


def test_damage_that_a_worker_process_finds_is_the_same_error(prepared):
    root, shard = prepared
    flip(shard)
    with pytest.raises(UserError, match="damaged"):
        read(root, workers=1)


def test_a_split_can_be_sent_to_a_worker_process(prepared):
    train = load("nyuv2", None, prepared[0])["train"]
    sent = pickle.loads(cloudpickle.dumps(train))
    assert len(sent) == len(train) == 3
    assert sent.examples[1]["image"] == train.examples[1]["image"]


def test_a_set_without_the_list_of_what_was_left_out_is_opened(prepared):
    root, shard = prepared
    (shard.parent / "metadata.json").unlink()
    assert len(load("nyuv2", None, root)["train"]) == 3


def test_a_negative_number_of_workers_is_an_error(prepared):
    with pytest.raises(UserError, match="workers must not be negative, got -1"):
        load("nyuv2", None, prepared[0], workers=-1)
