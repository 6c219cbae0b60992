"""The compiled program: what a step does, for each method."""

import chex
import jax
import numpy as np
import pytest

from experiments.config import Config, Optimization
from experiments.engine import loop, program
from experiments.errors import UserError


def one_step(config, arrays):
    compiled = program.build(config, arrays)
    start = compiled.initial_state(config.seed)
    before = jax.device_get(start.params)
    end, metrics = compiled.step(start, next(compiled.feed.training(start.key, range(1))))
    return before, jax.device_get(end.params), jax.device_get(metrics)


def change(before, after):
    return jax.tree.map(np.subtract, after, before)


@pytest.mark.parametrize("method", ["uniform", "uniform-gamma"])
def test_diagnosing_does_not_change_the_update(linear, digits, method):
    _, plain, _ = one_step(linear(method=method), digits)
    _, diagnosed, metrics = one_step(linear(method=method, diagnose=True), digits)
    chex.assert_trees_all_close(plain, diagnosed, rtol=1e-5, atol=1e-7)
    assert metrics["encoders"]["gray"].weights.shape == (2,)


def test_diagnosing_tells_what_the_optimizer_left(linear, digits):
    plain = Optimization(epochs=1, batch_size=320, weight_decay=0.0, momentum=0.0)
    config = linear(method="uniform", optimization=plain, diagnose=True)
    _, _, metrics = one_step(config, digits)
    seen = metrics["alignment"]["gray"]
    assert set(seen["update_cosine"]) == {"joint", "gray"}
    # Without momentum the update is minus the learning rate times the sum of the gradients.
    gramian = np.asarray(metrics["encoders"]["gray"].gramian, np.float64)
    sums = gramian.sum(axis=1)
    cosines = sums / np.sqrt(np.diagonal(gramian) * gramian.sum())
    for field, expected in {
        "update_cosine": cosines,
        "update_change": -plain.learning_rate * sums,
    }.items():
        found = [seen[field][objective] for objective in ("joint", "gray")]
        np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_a_diagnosed_run_logs_the_alignment(linear, digits):
    records = []
    config = linear(method="mmpareto", diagnose=True)
    compiled = program.build(config, digits)
    start = compiled.initial_state(config.seed)
    loop.train(compiled, start, 1, lambda state, record: records.append(record))
    encoder = records[0]["encoders"]["color"]
    assert set(encoder["update_cosine"]) == set(encoder["update_change"]) == {"joint", "color"}
    assert all(isinstance(value, float) for value in encoder["update_cosine"].values())


def test_uniform_gamma_scales_the_encoders_alone(linear, digits):
    decay_free = Optimization(epochs=1, batch_size=320, weight_decay=0.0)
    before, uniform, _ = one_step(linear(method="uniform", optimization=decay_free), digits)
    _, scaled, _ = one_step(
        linear(method="uniform-gamma", gamma=2.0, optimization=decay_free), digits
    )
    by_uniform, by_scaled = change(before, uniform), change(before, scaled)
    twice = jax.tree.map(lambda x: 2 * x, by_uniform["encoders"])
    chex.assert_trees_all_close(by_scaled["encoders"], twice, rtol=1e-3, atol=1e-6)
    chex.assert_trees_all_close(by_scaled["heads"], by_uniform["heads"], rtol=1e-3, atol=1e-6)


def test_joint_leaves_the_unimodal_heads_alone(linear, digits):
    decay_free = Optimization(epochs=1, batch_size=320, weight_decay=0.0)
    before, after, _ = one_step(linear(method="joint", optimization=decay_free), digits)
    chex.assert_trees_all_equal(after["heads"]["gray"], before["heads"]["gray"])
    assert np.any(after["heads"]["joint"]["kernel"] != before["heads"]["joint"]["kernel"])


def test_mmpareto_gives_gamma_times_the_norm_of_the_uniform_update(linear, digits):
    plain = Optimization(epochs=1, batch_size=320, weight_decay=0.0, momentum=0.0)
    before, uniform, _ = one_step(linear(method="uniform", optimization=plain), digits)
    _, after, _ = one_step(linear(method="mmpareto", gamma=3.0, optimization=plain), digits)
    for name in ("gray", "color"):
        norms = [
            np.sqrt(sum(np.sum(np.square(x, dtype=np.float64)) for x in jax.tree.leaves(tree)))
            for tree in (
                change(before, after)["encoders"][name],
                change(before, uniform)["encoders"][name],
            )
        ]
        np.testing.assert_allclose(norms[0], 3 * norms[1], rtol=1e-3)


def test_seeds_differ_in_parameters_and_order(linear, digits):
    compiled = program.build(linear(), digits)
    zero, one = compiled.initial_state(0), compiled.initial_state(1)
    kernels = [s.params["heads"]["joint"]["kernel"] for s in (zero, one)]
    assert np.any(np.asarray(kernels[0]) != np.asarray(kernels[1]))
    labels = [next(compiled.feed.training(s.key, range(1)))["label"] for s in (zero, one)]
    assert np.any(np.asarray(labels[0]) != np.asarray(labels[1]))


def test_a_batch_larger_than_the_data_is_an_error(digits):
    with pytest.raises(UserError, match="batch_size 2000 exceeds the 1297 training samples"):
        program.build(Config(optimization=Optimization(batch_size=2000)), digits)
