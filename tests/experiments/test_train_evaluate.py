"""The training loop and the evaluation."""

import jax
import numpy as np
import pytest

from experiments import program
from experiments.evaluate import accuracy, accuracy_and_macro_f1, predictions
from experiments.train import train


@pytest.fixture(scope="module")
def trained(digits):
    from experiments.config import Config, Optimisation

    config = Config(optimisation=Optimisation(epochs=2, batch_size=320, learning_rate=0.05))
    compiled = program.build(config, digits)
    records = []
    steps = []
    state = train(
        compiled,
        compiled.initial_state(0),
        2,
        on_epoch=lambda state, record: records.append(record),
        on_step=lambda: steps.append(1),
    )
    return compiled, state, records, len(steps)


def test_each_epoch_leaves_a_record(trained):
    compiled, state, records, steps = trained
    assert [record["epoch"] for record in records] == [1, 2]
    assert [record["step"] for record in records] == [4, 8]
    assert steps == int(state.step) == 8
    assert set(records[0]["loss"]) == {"joint", "gray", "colour"}
    assert records[-1]["accuracy"] == accuracy(compiled, state.params)
    for encoder in records[0]["encoders"].values():
        assert -1 <= encoder["cosine"] <= 1
        assert encoder["conflict"] * 4 == int(encoder["conflict"] * 4)


def test_training_lowers_the_loss(trained):
    _, _, records, _ = trained
    assert records[1]["loss"]["joint"] < records[0]["loss"]["joint"]


def test_predictions_are_those_of_the_whole_test_set_at_once(trained, digits):
    compiled, state, _, _ = trained
    num_samples = len(digits["test"]["label"])
    assert num_samples % compiled.predict_batch_size  # the last batch is not full
    everything = np.arange(num_samples)
    whole = jax.device_get(compiled.predict(state.params, compiled.test_set, everything))
    for head, classes in predictions(compiled, state.params).items():
        np.testing.assert_array_equal(classes, whole[head])


def test_macro_f1_is_the_mean_of_f1_by_hand(trained, digits):
    compiled, state, _, _ = trained
    labels = digits["test"]["label"]
    for head, scores in accuracy_and_macro_f1(compiled, state.params).items():
        classes = predictions(compiled, state.params)[head]
        by_class = []
        for label in np.union1d(labels, classes):
            hits = np.sum((classes == label) & (labels == label))
            by_class.append(2 * hits / (np.sum(classes == label) + np.sum(labels == label)))
        np.testing.assert_allclose(scores["macro_f1"], np.mean(by_class), rtol=1e-12)
        np.testing.assert_allclose(scores["accuracy"], np.mean(classes == labels), rtol=1e-12)


def test_training_goes_on_from_where_a_state_stands(trained, digits):
    compiled, state, _, _ = trained
    half = train(compiled, compiled.initial_state(0), 1, on_epoch=lambda *_: None)
    whole = train(compiled, half, 2, on_epoch=lambda *_: None)
    for left, right in zip(
        jax.tree.leaves(whole.params), jax.tree.leaves(state.params), strict=True
    ):
        np.testing.assert_array_equal(np.asarray(left), np.asarray(right))
