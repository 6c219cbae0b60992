"""Unimodal training, and then joint training from its encoders."""

import jax
import numpy as np
import pytest
from training import run

from experiments import methods
from experiments.config import Optimization
from experiments.engine import program
from experiments.errors import UserError
from experiments.methods import Problem

TWO = ("joint", "audio", "video")


def problem(epochs, heads=TWO):
    return Problem(heads, {}, {}, {}, steps_per_epoch=4, epochs=epochs)


def assert_same(ours, theirs):
    for left, right in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-8)


def build(linear, digits, method, *options, epochs=2):
    optimization = Optimization(epochs=epochs, batch_size=320)
    config = linear(method=method, options=options, optimization=optimization)
    return program.build(config, digits)


def test_the_first_phase_is_unimodal_training(linear, digits):
    ours = build(linear, digits, "pretrain-finetune")
    theirs = build(linear, digits, "unimodal")
    ends = [run(each, each.initial_state(0), 1).params for each in (ours, theirs)]
    assert_same(*ends)


def test_the_second_phase_is_joint_training_with_a_fresh_momentum(linear, digits):
    ours, theirs = (build(linear, digits, name) for name in ("pretrain-finetune", "joint"))
    half = jax.device_get(run(ours, ours.initial_state(0), 1))
    assert np.abs(np.concatenate([x.ravel() for x in jax.tree.leaves(half.opt_state[1])])).max() > 0
    fresh = theirs.initial_state(0)
    started = fresh._replace(params=half.params, step=half.step)
    assert_same(
        run(ours, run(ours, ours.initial_state(0), 1), 2).params, run(theirs, started, 2).params
    )


def test_without_pretraining_it_is_joint_training(linear, digits):
    ours = build(linear, digits, "pretrain-finetune", "share=0")
    theirs = build(linear, digits, "joint")
    assert_same(*(run(each, each.initial_state(0), 2).params for each in (ours, theirs)))


def test_the_momentum_is_lost_at_the_turn_alone():
    method = methods.METHODS["pretrain-finetune"](None)
    phase = method.init(problem(4))
    momentum = {"kernel": np.full(3, 2.0, np.float32)}
    kept, weights = [], []
    for epoch in range(4):
        phase, after = method.before_epoch(phase, momentum, {}, np.int32(epoch))
        kept.append(float(after["kernel"][0]))
        weights.append(float(phase.finetuning))
    assert weights == [0, 0, 1, 1]
    assert kept == [2, 2, 0, 2]


@pytest.mark.parametrize(
    ("epochs", "share", "turn"), [(30, 0.5, 15), (1, 0.5, 0), (3, 0.99, 2), (10, 0.29, 3)]
)
def test_the_turn_leaves_an_epoch_to_fine_tune(epochs, share, turn):
    method = methods.METHODS["pretrain-finetune"](None, share=share)
    assert int(method.init(problem(epochs)).turn) == turn


@pytest.mark.parametrize("share", ["1", "-0.1", "True", "'half'", "None"])
def test_a_share_out_of_range_is_refused(linear, share):
    config = linear(method="pretrain-finetune", options=(f"share={share}",))
    with pytest.raises(UserError, match="option share must be at least 0 and below 1, got"):
        methods.build(config)


def test_a_set_of_tasks_is_refused():
    method = methods.METHODS["pretrain-finetune"](None)
    with pytest.raises(UserError, match="method pretrain-finetune is for several modalities"):
        method.init(problem(2, ("left", "right")))
    with pytest.raises(UserError, match="method pretrain-finetune is for several modalities"):
        method.trained_heads(("left", "right"))
