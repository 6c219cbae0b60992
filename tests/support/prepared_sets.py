"""Preparing data sets, and comparing what was read of them."""

import pickle

import numpy as np

from experiments.data.storage import prepared
from experiments.data.storage.samples import samples


def prepare(dataset, folder, files, workers=0):
    """Prepare a data set in a folder, from its files."""
    return prepared.prepare(dataset.recipe, folder, files, workers)


def stored(dataset, opened, split):
    """The examples of a prepared split."""
    return list(samples(opened, split, dataset.transforms).examples)


def assert_same_splits(got, wanted):
    """Assert that two sets in memory have the same arrays, to the type."""
    assert got.keys() == wanted.keys() == {"train", "test"}
    for split in wanted:
        assert got[split].keys() == wanted[split].keys()
        for name, array in wanted[split].items():
            np.testing.assert_array_equal(got[split][name], array, strict=True)


def assert_same_clips(got, wanted):
    """Assert that two lists of stored clips are the same, in the same order."""
    assert [example["clip"] for example in got] == [example["clip"] for example in wanted]
    for one, other in zip(got, wanted, strict=True):
        np.testing.assert_array_equal(one["waveform"], other["waveform"])
        assert list(one["frames"]) == list(other["frames"])


def assert_can_be_pickled(transform):
    """Assert that a function with bound arguments comes out of pickle as it was."""
    again = pickle.loads(pickle.dumps(transform))
    assert (again.func, again.args) == (transform.func, transform.args)
