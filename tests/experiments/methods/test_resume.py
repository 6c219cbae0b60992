"""Runs that stop after an epoch and go on, and runs on several devices."""

import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from compiling import virtual_devices
from training import run

from experiments.engine import devices, program
from experiments.methods import BALANCING

METHODS = ("joint", "uniform", "mmpareto", *BALANCING)
EARLY = {
    "g-blending": ("every=1",),
    "greedy": ("threshold=0.0", "window=3", "warm_up_epochs=0"),
}
"""Options with which a method does in two epochs what it would begin with later."""

SEVERAL = jax.device_count() > 1


def restored(state):
    """A state of the same arrays, from copies of them, placed as they were."""
    copies = jax.tree.map(lambda leaf: np.array(leaf, copy=True), jax.device_get(state))
    return devices.place(copies, jax.tree.map(lambda leaf: leaf.sharding, state))


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_is_resumed_is_the_run_that_went_on(linear, digits, method):
    compiled = program.build(linear(method=method, options=EARLY.get(method, ())), digits)
    whole = run(compiled, compiled.initial_state(0), 2)
    half = restored(run(compiled, compiled.initial_state(0), 1))
    resumed = run(compiled, half, 2)
    assert int(resumed.step) == 2 * compiled.feed.steps_per_epoch
    assert compiled.step._cache_size() == 1
    assert jax.tree.structure(whole) == jax.tree.structure(resumed)
    for ours, theirs in zip(jax.tree.leaves(resumed), jax.tree.leaves(whole), strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


@pytest.mark.skipif(not SEVERAL, reason="compares several devices with one")
@pytest.mark.parametrize("method", METHODS)
def test_a_mesh_trains_as_one_device_does(linear, digits, method):
    states = []
    for shape in ((2, 2), (1, 1)):
        some = np.asarray(jax.devices()[: shape[0] * shape[1]]).reshape(shape)
        mesh = jax.sharding.Mesh(some, ("data", "model"))
        compiled = program.build(linear(method=method, options=EARLY.get(method, ())), digits, mesh)
        states.append(jax.device_get(run(compiled, compiled.initial_state(0), 2)))
    ours, theirs = ((state.params, state.method) for state in states)
    for left, right in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-3, atol=1e-5)


@pytest.mark.slow
@pytest.mark.skipif(SEVERAL, reason="is what this test starts")
def test_both_hold_on_virtual_devices():
    options = ["-q", "-p", "no:cacheprovider", "-k", "not virtual_devices"]
    command = [sys.executable, "-m", "pytest", *options, __file__]
    finished = subprocess.run(
        command,
        cwd=Path(__file__).parents[3],
        env=os.environ | virtual_devices(4),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout
    assert f"{2 * len(METHODS)} passed" in finished.stdout
