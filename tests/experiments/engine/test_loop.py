"""The training loop and the evaluation."""

import chex
import jax
import numpy as np
import pytest
from flax import nnx
from sklearn import metrics

from experiments import models
from experiments.config import Config, Optimization
from experiments.data import DATASETS
from experiments.engine import program
from experiments.engine.evaluate import scores
from experiments.engine.loop import train


@pytest.fixture(scope="module")
def trained(digits):
    config = Config(optimization=Optimization(epochs=2, batch_size=320, learning_rate=0.05))
    compiled = program.build(config, digits)
    records = []
    steps = []
    state = train(
        compiled,
        compiled.initial_state(0),
        2,
        on_epoch=lambda state, record: records.append(record),
        on_step=lambda metrics: steps.append(1),
    )
    return compiled, state, records, len(steps)


def test_an_epoch_in_one_call_is_its_steps(digits, trained):
    _, state, records, _ = trained
    config = Config(optimization=Optimization(epochs=2, batch_size=320, learning_rate=0.05))
    compiled = program.build(config, digits, whole_epochs=True)
    whole, metrics = [], []
    end = train(
        compiled,
        compiled.initial_state(0),
        2,
        on_epoch=lambda state, record: whole.append(record),
        on_step=metrics.append,
    )
    # A rounding error may turn a step's direction where two objectives are at right angles.
    for ours, theirs in zip(
        jax.tree.leaves(end.params), jax.tree.leaves(state.params), strict=True
    ):
        assert np.linalg.norm(ours - theirs) <= 1e-3 * np.linalg.norm(theirs)
    assert (int(end.step), end.key.tolist()) == (int(state.step), state.key.tolist())
    assert [record["step"] for record in whole] == [4, 8]
    for ours, theirs in zip(whole, records, strict=True):
        assert ours.keys() == theirs.keys()
        chex.assert_trees_all_close(ours["loss"], theirs["loss"], rtol=1e-4)
    assert len(metrics) == 8
    losses = np.mean([float(step["loss"]["joint"]) for step in metrics[4:]])
    np.testing.assert_allclose(losses, whole[1]["loss"]["joint"], rtol=1e-6)


def test_each_epoch_leaves_a_record(trained):
    compiled, state, records, steps = trained
    assert [record["epoch"] for record in records] == [1, 2]
    assert [record["step"] for record in records] == [4, 8]
    assert steps == int(state.step) == 8
    assert set(records[0]["loss"]) == {"joint", "gray", "color"}
    assert records[-1]["scores"] == scores(compiled, state)
    for encoder in records[0]["encoders"].values():
        assert -1 <= encoder["cosine"] <= 1
        assert encoder["conflict"] * 4 == int(encoder["conflict"] * 4)


def test_training_lowers_the_loss(trained):
    _, _, records, _ = trained
    assert records[1]["loss"]["joint"] < records[0]["loss"]["joint"]


def test_scores_are_those_of_scikit_learn_on_the_whole_test_set(trained, digits):
    compiled, state, _, _ = trained
    config = Config()
    shapes = {name: compiled.feed.shapes[name] for name in ("gray", "color")}
    outputs = {"joint": 10, "gray": 10, "color": 10}
    graph = nnx.graphdef(models.build(config, shapes, outputs, seed=0))
    logits = nnx.merge(graph, state.params)(DATASETS["cg-digits"].inputs(digits["test"]))
    labels = digits["test"]["label"]
    for head, found in scores(compiled, state).items():
        classes = np.argmax(logits[head], axis=-1)
        assert found["accuracy"] == pytest.approx(metrics.accuracy_score(labels, classes))
        assert found["macro_f1"] == pytest.approx(
            metrics.f1_score(labels, classes, average="macro")
        )


def test_training_goes_on_from_where_a_state_stands(trained, digits):
    compiled, state, _, _ = trained
    half = train(compiled, compiled.initial_state(0), 1, on_epoch=lambda *_: None)
    whole = train(compiled, half, 2, on_epoch=lambda *_: None)
    for left, right in zip(
        jax.tree.leaves(whole.params), jax.tree.leaves(state.params), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right))
