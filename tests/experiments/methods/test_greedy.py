"""Balanced multimodal learning: when an encoder rests, and what that means."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import run

from experiments import methods
from experiments.config import Config, Optimization
from experiments.engine import program
from experiments.errors import UserError
from experiments.methods import Problem
from experiments.methods.greedy import still

PLAIN = Optimization(epochs=1, batch_size=320, weight_decay=0.0, momentum=0.0)
NAMES = ("gray", "color")
AT_ONCE = ("threshold=0.0", "window=3", "warm_up_epochs=0")


def problem(names=NAMES, heads=None):
    heads = ("joint", *names) if heads is None else heads
    features = dict.fromkeys(names, (3,))
    return Problem(heads, dict.fromkeys(names, heads), {}, features, steps_per_epoch=6, epochs=2)


def one_step(config, arrays, **method_state):
    """A step from a state of the method: the parameters before it, the state after it, and the
    representations and the labels of its batch."""
    compiled = program.build(config, arrays)
    first = compiled.initial_state(0)
    first = first._replace(method=first.method._replace(**method_state))
    batch = next(compiled.feed.training(first.key, range(1)))
    before = jax.device_get(first.params)
    features = {}
    for name, encoder in before["encoders"].items():
        means = np.mean(np.asarray(batch[name]) / 255, axis=(1, 2))
        features[name] = np.tanh(means @ np.float64(encoder["kernel"]) + encoder["bias"])
    end, _ = compiled.step(first, batch)
    return before, jax.device_get(end), features, np.asarray(batch["label"])


def published(gradients, params, fusion, threshold, window, warm_up):
    """Which branch is cared for in each step, None in a regular one, and the summed speeds.

    The algorithm in float64 with all four sums, where the fusion's parameters, of which ``fusion``
    is mu in each step, are shared by both branches.
    """
    own, other, cares, left, branch = np.zeros(2), np.zeros(2), [], 0, None
    for step, (gradient, param) in enumerate(zip(gradients, params, strict=True)):
        cares.append(branch if left else None)
        if left:
            left -= 1
            continue
        own += np.sum(gradient**2, axis=-1) / np.sum(param**2, axis=-1)
        other += fusion[step]
        difference = np.subtract(*np.log10(other / own))
        if step + 1 >= warm_up and abs(difference) > threshold:
            left, branch = window, 0 if difference > 0 else 1
    return cares, own


@pytest.mark.parametrize("seed", range(4))
def test_an_encoder_rests_as_published(seed):
    rng = np.random.default_rng(seed)
    steps, window, threshold = 60, 4, 0.05
    gradients = rng.normal(size=(steps, 2, 5))
    gradients[: steps // 2, 0] *= 3  # one branch learns faster, then the other
    gradients[steps // 2 :, 1] *= 30
    params = rng.normal(size=(steps, 2, 5))
    wanted, speeds = published(gradients, params, rng.uniform(size=steps), threshold, window, 12)
    options = (f"threshold={threshold}", f"window={window}", "warm_up_epochs=2")
    method = methods.build(Config(method="greedy", options=options))
    state, cares = method.init(problem()), []
    after_step = jax.jit(method.after_step)
    for gradient, param in zip(np.float32(gradients), np.float32(params), strict=True):
        resting = [name for name in NAMES if state.rest[name] > 0]
        cares.append(1 - NAMES.index(resting[0]) if resting else None)
        state = after_step(
            state,
            dict.fromkeys(NAMES, jnp.zeros(3)),
            {"encoders": {name: {"w": gradient[None, i]} for i, name in enumerate(NAMES)}},
            {"encoders": {name: {"w": param[i]} for i, name in enumerate(NAMES)}},
        )
    assert cares == wanted
    assert {0, 1, None} == set(cares)
    np.testing.assert_allclose([state.speeds[name] for name in NAMES], speeds, rtol=1e-5)


def test_the_running_mean_is_that_of_all_steps():
    method = methods.build(Config(method="greedy"))
    state = method.init(problem())
    signals = np.random.default_rng(0).normal(size=(7, 2, 3))
    ones = {"encoders": {name: jnp.ones(2) for name in NAMES}}
    for each in np.float32(signals):
        state = method.after_step(state, dict(zip(NAMES, each, strict=True)), ones, ones)
    found = [state.means[name] for name in NAMES]
    np.testing.assert_allclose(found, signals.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("options", [("threshold=1e999", "warm_up_epochs=0"), ()])
def test_without_rebalancing_it_is_joint_training(linear, digits, options):
    ends = []
    for method in ("greedy", "joint"):
        chosen = options if method == "greedy" else ()
        compiled = program.build(linear(method=method, options=chosen), digits)
        ends.append(jax.device_get(run(compiled, compiled.initial_state(0), 1)))
    chex.assert_trees_all_equal(ends[0].params, ends[1].params)


def test_while_an_encoder_rests_the_joint_head_reads_its_mean(linear, digits):
    mean = np.float32([0.3, -0.2, 0.5, 0.1])
    config = linear(method="greedy", optimization=PLAIN)
    before, end, features, labels = one_step(
        config,
        digits,
        rest={"gray": jnp.int32(2), "color": jnp.int32(0)},
        means={"gray": jnp.asarray(mean), "color": jnp.zeros(4)},
        steps=jnp.int32(9),
    )
    after = end.params
    chex.assert_trees_all_equal(after["encoders"]["gray"], before["encoders"]["gray"])
    kernels = [tree["encoders"]["color"]["kernel"] for tree in (before, after)]
    assert np.any(kernels[0] != kernels[1])
    assert end.method.rest == {"gray": 1, "color": 0}
    np.testing.assert_allclose(
        end.method.means["gray"], mean + (features["gray"].mean(axis=0) - mean) / 10, rtol=1e-5
    )
    head = jax.tree.map(np.float64, before["heads"]["joint"])
    read = mean + features["color"]
    logits = read @ head["kernel"] + head["bias"]
    errors = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True) - np.eye(10)[labels]
    change = after["heads"]["joint"]["kernel"] - head["kernel"]
    wanted = -PLAIN.learning_rate * read.T @ errors / len(labels)
    np.testing.assert_allclose(change, wanted, rtol=1e-3, atol=1e-7)


def test_a_resting_encoder_has_no_gradient_through_the_other():
    gradients = {"encoders": {name: {"w": jnp.ones(2)} for name in NAMES}, "heads": jnp.ones(3)}
    found = still(gradients, {"gray": jnp.int32(1), "color": jnp.int32(0)})
    assert [float(jnp.sum(found["encoders"][name]["w"])) for name in NAMES] == [0, 2]
    assert float(jnp.sum(found["heads"])) == 3


def test_a_window_of_rest_follows_a_regular_step(linear, digits):
    compiled = program.build(linear(method="greedy", options=AT_ONCE), digits)
    state, rests = compiled.initial_state(0), []
    for batch in compiled.feed.training(state.key, range(9)):
        state, _ = compiled.step(state, batch)
        rests.append(max(int(left) for left in state.method.rest.values()))
    assert rests == [3, 2, 1, 0, 3, 2, 1, 0, 3]
    assert compiled.step._cache_size() == 1


def test_the_unimodal_heads_stay(linear, digits):
    before, end, _, _ = one_step(linear(method="greedy", optimization=PLAIN), digits)
    chex.assert_trees_all_equal(end.params["heads"]["gray"], before["heads"]["gray"])


def test_three_modalities_are_an_error():
    three = problem(("audio", "text", "vision"))
    with pytest.raises(UserError, match=r"two modalities, .* has 3 \(audio, text, vision\)"):
        methods.build(Config(method="greedy")).init(three)


def test_tasks_without_a_joint_loss_are_an_error():
    tasks = problem(("shared",), heads=("left", "right"))
    with pytest.raises(UserError, match=r"method greedy .* has only left and right"):
        methods.build(Config(method="greedy")).init(tasks)
