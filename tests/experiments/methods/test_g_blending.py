"""Gradient blending: its weights, what they are made of and what they do."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import copy, run

from experiments import methods
from experiments.config import Config, Optimization
from experiments.engine import program
from experiments.errors import UserError
from experiments.methods import Problem
from experiments.methods.g_blending import Blend, blend
from experiments.methods.uniform import uniform

EVERY_EPOCH = ("every=1",)
HEADS = ("joint", "gray", "color")


def by_head(values):
    return {head: jnp.float32(value) for head, value in zip(HEADS, values, strict=True)}


def state(weights, train, held_out):
    return Blend(by_head(weights), by_head(train), by_head(held_out))


def reference(before, after, least):
    """The weights in float64, from (training, held-out) losses ``[2, K]``."""
    (train_0, unseen_0), (train_1, unseen_1) = np.float64(before), np.float64(after)
    overfitting = (unseen_1 - train_1) - (unseen_0 - train_0)
    ratios = np.clip(unseen_0 - unseen_1, 0, None) / np.clip(np.abs(overfitting), least, None) ** 2
    return len(ratios) * ratios / ratios.sum()


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_gains_over_squared_overfitting(seed):
    rng = np.random.default_rng(seed)
    before = np.float32(rng.uniform(1, 2, (2, 3)))
    after = np.float32(before - rng.uniform(-0.3, 1, (2, 3)))
    after[1, 0] = before[1, 0] - 0.5  # one at least has gained
    found = blend(state([1, 1, 1], *before), by_head(after[0]), by_head(after[1]), 0.05)
    wanted = reference(before, after, 0.05)
    np.testing.assert_allclose([found[head] for head in HEADS], wanted, rtol=1e-4, atol=1e-7)


def test_a_head_that_lost_has_no_weight_and_overfitting_has_a_least_size():
    before = state([1, 1, 1], [2, 2, 2], [2, 2, 2])
    found = blend(before, by_head([1, 1, 1]), by_head([1, 1.5, 2.5]), 0.25)
    # Ratios 1 / 0.25^2 = 16, 0.5 / 0.5^2 = 2 and none.
    np.testing.assert_allclose([found[head] for head in HEADS], [48 / 18, 6 / 18, 0], rtol=1e-6)


@pytest.mark.parametrize("fall", [0.1, 0.3, 0.7])
def test_equal_ratios_are_exactly_ones(fall):
    before = state([2, 0.5, 0.5], [1.3] * 3, [1.7] * 3)
    found = blend(before, by_head([1.3 - 2 * fall] * 3), by_head([1.7 - fall] * 3), 1e-3)
    assert [float(found[head]) for head in HEADS] == [1.0, 1.0, 1.0]


def test_the_weights_stay_if_no_head_gained():
    before = state([2, 0.5, 0.5], [1, 1, 1], [1, 1, 1])
    found = blend(before, by_head([0.5, 0.5, 0.5]), by_head([1, 1.5, 2]), 1e-3)
    assert [float(found[head]) for head in HEADS] == [2, 0.5, 0.5]


def test_the_mean_losses_of_both_sets_are_measured(linear, digits):
    compiled = program.build(linear(method="g-blending"), digits)
    first = compiled.initial_state(0)
    params = jax.tree.map(np.float64, jax.device_get(first.params))
    measured = jax.device_get(compiled.before_epoch(copy(first)).method)
    sizes = {}
    for split, found in (("train", measured.train), ("held-out", measured.held_out)):
        losses = {head: [] for head in HEADS}
        for batch, counted in compiled.feed.evaluation(split):
            features = {}
            for name, encoder in params["encoders"].items():
                means = np.mean(np.asarray(batch[name]) / 255, axis=(1, 2))
                features[name] = np.tanh(means @ encoder["kernel"] + encoder["bias"])
            features["joint"] = sum(features.values())
            for name, head in params["heads"].items():
                logits = features[name] @ head["kernel"] + head["bias"]
                chosen = logits[np.arange(len(logits)), np.asarray(batch["label"])]
                losses[name] += list((np.log(np.exp(logits).sum(-1)) - chosen)[counted])
        sizes[split] = len(losses["joint"])
        for head in HEADS:
            np.testing.assert_allclose(found[head], np.mean(losses[head]), rtol=1e-5)
    assert sizes == {"train": 1297 - 130, "held-out": 130}


def test_until_the_first_estimate_it_is_uniform_on_the_same_samples(linear, digits, monkeypatch):
    held_out = lambda config: uniform(config)._replace(held_out=0.1)
    monkeypatch.setitem(methods.METHODS, "uniform-held-out", held_out)
    ends = []
    for method in ("g-blending", "uniform-held-out"):
        compiled = program.build(linear(method=method), digits)
        ends.append(jax.device_get(run(compiled, compiled.initial_state(0), 2)))
    chex.assert_trees_all_equal(ends[0].params, ends[1].params)
    assert all(float(weight) == 1.0 for weight in ends[0].method.weights.values())


def test_weights_scale_the_losses(linear, digits):
    plain = Optimization(epochs=1, batch_size=320, weight_decay=0.0, momentum=0.0)
    weights = [0.5, 2.0, 0.0]
    ends = {}
    for diagnose in (False, True):
        config = linear(method="g-blending", optimization=plain, diagnose=diagnose)
        compiled = program.build(config, digits)
        first = compiled.initial_state(0)
        before = jax.device_get(first.params)
        batch = next(compiled.feed.training(first.key, range(1)))
        even, _ = compiled.step(copy(first), batch)
        blended, _ = compiled.step(
            first._replace(method=first.method._replace(weights=by_head(weights))), batch
        )
        ends[diagnose] = jax.device_get((even.params, blended.params))
    chex.assert_trees_all_close(ends[False], ends[True], rtol=1e-5, atol=1e-7)
    even, blended = (jax.tree.map(np.subtract, end, before) for end in ends[False])
    for head, weight in zip(HEADS, weights, strict=True):  # a head is trained by its loss alone
        np.testing.assert_allclose(
            blended["heads"][head]["kernel"],
            weight * even["heads"][head]["kernel"],
            rtol=1e-3,
            atol=1e-6,
        )


def test_an_estimate_is_of_the_epochs_since_the_last(linear, digits):
    compiled = program.build(linear(method="g-blending", options=EVERY_EPOCH), digits)
    middle = run(compiled, compiled.initial_state(0), 1)
    start = jax.device_get(middle.method)
    end = jax.device_get(compiled.before_epoch(middle).method)
    losses = [
        [[blend.train[head] for head in HEADS], [blend.held_out[head] for head in HEADS]]
        for blend in (start, end)
    ]
    wanted = reference(*losses, 1e-3)
    found = np.array([end.weights[head] for head in HEADS])
    np.testing.assert_allclose(found, wanted, rtol=1e-3)
    np.testing.assert_allclose(found.sum(), 3, rtol=1e-6)
    assert np.ptp(found) > 0.01


def test_it_measures_every_few_epochs_alone(linear):
    method = methods.build(linear(method="g-blending", options=("every=3",)))
    assert [bool(method.splits(epoch)) for epoch in range(7)] == [1, 0, 0, 1, 0, 0, 1]


def test_tasks_without_a_joint_loss_are_an_error():
    heads = ("left", "right")
    problem = Problem(heads, {"shared": heads}, {}, {"shared": (4,)}, 4, 2)
    with pytest.raises(UserError, match=r"g-blending weighs .* only left and right"):
        methods.build(Config(method="g-blending")).init(problem)
