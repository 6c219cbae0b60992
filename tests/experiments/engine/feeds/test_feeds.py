"""The feeds: what they give, in what order, and that both keep the same promises."""

import multiprocessing
import os
import signal
from contextlib import closing

import jax
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

from experiments.data import Samples
from experiments.engine import devices, feeds
from experiments.engine.feeds import streamed
from experiments.errors import UserError

NUMBER, BATCH = 11, 3
KEY = jax.random.PRNGKey(0)


def training(example, rng):
    """A sample that tells which one it is and what the generator gave."""
    return {"x": np.float32([example, rng.random()]), "label": np.int32(example)}


def evaluation(example):
    return {"x": np.float32([example, 0]), "label": np.int32(example)}


def on_device():
    fields = {"x": np.stack([evaluation(i)["x"] for i in range(NUMBER)])}
    fields["label"] = np.arange(NUMBER, dtype=np.int32)
    return {"train": fields, "test": fields}


def from_disk():
    samples = Samples(range(NUMBER), training, evaluation)
    return {"train": samples, "test": samples}


def feed(splits, batch_size=BATCH, workers=0):
    return feeds.build(splits, batch_size, devices.make_mesh(), workers)


def first(feed, number, first_step=0, key=KEY):
    """The first batches, on the host."""
    with closing(feed.training(key, range(first_step, first_step + number))) as batches:
        return jax.device_get(list(batches))


def assert_same(ours, theirs):
    for left, right in zip(ours, theirs, strict=True):
        jax.tree.map(np.testing.assert_array_equal, left, right)


@pytest.fixture(params=[on_device, from_disk])
def built(request):
    return feed(request.param())


def test_an_epoch_visits_samples_once_in_an_order_of_its_own(built):
    assert built.steps_per_epoch == 3
    assert built.shapes == {"x": (2,), "label": ()}
    labels = [batch["label"] for batch in first(built, 6)]
    epochs = [np.concatenate(labels[:3]), np.concatenate(labels[3:])]
    for epoch in epochs:
        assert len(np.unique(epoch)) == 9
    assert np.any(epochs[0] != epochs[1])


def test_a_feed_that_begins_later_goes_on_as_one_that_began_at_the_start(built):
    whole = first(built, 7)
    assert_same(first(built, 3, first_step=4), whole[4:])
    assert_same(first(built, 1, first_step=3), whole[3:4])


def test_another_key_gives_another_order(built):
    ours, theirs = (first(built, 3, key=jax.random.PRNGKey(seed)) for seed in (0, 1))
    assert np.any([np.any(a["label"] != b["label"]) for a, b in zip(ours, theirs, strict=True)])


def test_the_test_set_comes_once_in_order_however_often_it_is_asked_for(built):
    for _ in range(2):
        found = [(jax.device_get(batch), counted) for batch, counted in built.evaluation("test")]
        labels = np.concatenate([batch["label"] for batch, _ in found])
        counted = np.concatenate([counted for _, counted in found])
        np.testing.assert_array_equal(labels[counted], np.arange(NUMBER))
        assert len({len(batch["label"]) for batch, _ in found}) == 1


def test_augmentation_differs_by_epoch_and_by_sample_and_comes_again():
    batches = first(feed(from_disk()), 6)
    drawn = np.concatenate([batch["x"][:, 1] for batch in batches])
    assert len(np.unique(drawn)) == len(drawn)
    assert_same(first(feed(from_disk()), 6), batches)


def test_worker_processes_give_the_batches_that_one_process_gives():
    alone, shared = feed(from_disk()), feed(from_disk(), workers=2)
    assert_same(first(shared, 5), first(alone, 5))
    for (ours, _), (theirs, _) in zip(
        shared.evaluation("test"), alone.evaluation("test"), strict=True
    ):
        jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_a_killed_worker_ends_a_feed_with_an_error():
    built = feed(from_disk(), workers=2)
    with closing(built.training(KEY, range(10**6))) as batches:
        next(batches)
        os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
        with pytest.raises(UserError, match="a worker process was killed"):
            list(batches)
    assert not multiprocessing.active_children()


def test_rows_of_a_batch_are_the_same_whichever_others_are_made_with_them():
    samples = from_disk()["train"]
    indices = np.array([4, 7, 1])
    whole = samples.training_batch(indices, np.random.default_rng(5))
    part = samples.training_batch(indices, np.random.default_rng(5), np.array([2]))
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, b[2:]), part, whole)


def test_a_process_makes_the_rows_that_its_devices_hold():
    class OfTwoProcesses:
        """Half of the rows are here, those of the second device twice."""

        def addressable_devices_indices_map(self, shape):
            return {0: (slice(2, 3),), 1: (slice(3, 4),), 2: (slice(3, 4),)}

    np.testing.assert_array_equal(streamed._rows_of_this_process(OfTwoProcesses(), 6), [2, 3])
    mesh = devices.make_mesh()
    whole = NamedSharding(mesh, PartitionSpec("data"))
    np.testing.assert_array_equal(streamed._rows_of_this_process(whole, 6), np.arange(6))


@pytest.mark.parametrize("splits", [on_device, from_disk])
def test_a_batch_larger_than_the_data_is_an_error(splits):
    with pytest.raises(UserError, match="batch_size 12 exceeds the 11 training samples"):
        feed(splits(), batch_size=12)
