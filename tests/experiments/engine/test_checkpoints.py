"""Checkpoints that cannot be used: each in one line, with a remedy that loses nothing more."""

import json
import shutil

import jax.numpy as jnp
import pytest

from experiments.config import Config
from experiments.engine.checkpoints import Checkpoints
from experiments.engine.state import TrainState
from experiments.errors import BreakError, UserError


def state(step=4, rows=30, **more):
    params = {"kernel": jnp.ones((rows, 20)), "bias": jnp.zeros(3), **more}
    return TrainState(jnp.int32(step), jnp.zeros(2, jnp.uint32), params, {}, (), ((), ()))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("runs") / "saved"
    with Checkpoints(run_dir) as checkpoints:
        checkpoints.save(state(2), Config())
        checkpoints.save(state(4), Config())
    return run_dir


@pytest.fixture
def run_dir(saved, tmp_path):
    return shutil.copytree(saved, tmp_path / "run")


def restore(run_dir, template=None, config=None):
    with Checkpoints(run_dir, read_only=True) as checkpoints:
        return checkpoints.restore(template or state(), config or Config())


def halve(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def empty(path):
    path.write_bytes(b"")


def fill(path):
    path.write_bytes(b"\xff\x00{]" * 20)


def replace(path):
    path.write_text("[]")


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize("damage", [halve, empty, fill, replace, remove])
@pytest.mark.parametrize(
    "place", ["config/metadata", "state/_METADATA", "state/manifest.ocdbt", "state/d/*"]
)
def test_a_damaged_checkpoint_is_told_in_one_line(damage, place, run_dir, capfd):
    (path,) = (run_dir / "checkpoints" / "4").glob(place)
    damage(path)
    with pytest.raises(UserError, match=r"checkpoint .*4.* \(.+\): ") as error:
        restore(run_dir)
    assert "\n" not in str(error.value)
    assert capfd.readouterr().err == ""
    remove(run_dir / "checkpoints" / "4")
    assert restore(run_dir).step == 2


@pytest.mark.parametrize("item", ["state", "config"])
def test_a_checkpoint_that_lacks_an_item_is_told(item, run_dir):
    remove(run_dir / "checkpoints" / "4" / item)
    with pytest.raises(UserError, match=r"cannot read .*remove that folder to go on from the one"):
        restore(run_dir)
    remove(run_dir / "checkpoints" / "2")
    with pytest.raises(UserError, match="remove that folder and train anew"):
        restore(run_dir)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"learning_schedule": 1}, "unknown setting learning_schedule"),
        ({"optimization": {"nesterov": True}}, "unknown setting nesterov"),
        ({"optimization": None}, "expected settings by name, got null"),
        ({"gamma": "x"}, 'gamma cannot be "x"'),
        ({"gamma": -1}, "gamma must be positive"),
        ({"seed": True}, "seed cannot be true"),
    ],
    ids=str,
)
def test_a_configuration_of_another_version_is_told(settings, words, run_dir):
    path = run_dir / "checkpoints" / "4" / "config" / "metadata"
    path.write_text(json.dumps(Config().to_json() | settings))
    with pytest.raises(UserError, match=f"cannot use the configuration .*{words}.*another version"):
        restore(run_dir)


def test_what_a_configuration_lacks_has_its_default():
    values = Config(seed=3).to_json()
    del values["options"], values["optimization"]["momentum"]
    assert Config.from_json(values) == Config(seed=3)


def test_a_checkpoint_of_another_network_is_not_called_damaged(saved):
    with pytest.raises(UserError, match=r"params/kernel is \(30, 20\) \(here \(20, 20\)\)"):
        restore(saved, state(rows=20))
    with pytest.raises(UserError, match=r"params/more is absent \(here \(2,\)\)"):
        restore(saved, state(more=jnp.zeros(2)))
    assert restore(saved).step == 4


def test_what_a_kill_left_of_a_checkpoint_is_removed_by_the_next_training(run_dir):
    partial = run_dir / "checkpoints" / "6.orbax-checkpoint-tmp"
    partial.mkdir()
    restore(run_dir)
    assert partial.exists()  # who evaluates may do so while another process trains
    with Checkpoints(run_dir) as checkpoints:
        checkpoints.save(state(8), Config())
    assert sorted(path.name for path in (run_dir / "checkpoints").iterdir()) == ["4", "8"]


def test_a_checkpoint_that_cannot_be_written_is_told(run_dir, monkeypatch):
    def full(*_, **__):
        (run_dir / "checkpoints" / "8.orbax-checkpoint-tmp").mkdir()
        raise ValueError("INTERNAL: Error writing: No space left on device [and much more]")

    with Checkpoints(run_dir) as checkpoints:
        monkeypatch.setattr(checkpoints._manager, "save", full)
        with pytest.raises(BreakError, match=r"cannot write .*: No space left on device: make"):
            checkpoints.save(state(8), Config())
    assert restore(run_dir).step == 4
    assert sorted(path.name for path in (run_dir / "checkpoints").iterdir()) == ["2", "4"]
