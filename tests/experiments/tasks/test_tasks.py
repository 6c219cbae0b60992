"""The losses and scores of the tasks, against NumPy and scikit-learn."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn import metrics

from experiments.tasks import Classification, Depth, Segmentation


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def cross_entropies(logits, labels):
    shifted = logits - logits.max(-1, keepdims=True)
    log_probabilities = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))
    return -np.take_along_axis(log_probabilities, labels[..., None], -1)[..., 0]


def summed(task, batches):
    """The scores of a set in batches, each with the number of its samples that count."""
    parts = [
        np.asarray(task.sums(outputs, targets, np.arange(len(targets)) < number))
        for outputs, targets, number in batches
    ]
    return task.scores(np.sum(parts, axis=0))


def test_classification_is_scored_as_scikit_learn_does(rng):
    task = Classification(5)
    logits, labels = rng.normal(size=(90, 5)), rng.integers(4, size=90)  # one class never occurs
    loss = task.loss(jnp.asarray(logits), jnp.asarray(labels))
    assert float(loss) == pytest.approx(cross_entropies(logits, labels).mean(), rel=1e-5)
    batches = [(logits[:50], labels[:50], 50), (logits[50:], labels[50:], 33)]
    classes, counted = logits.argmax(-1)[:83], labels[:83]
    assert summed(task, batches) == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(counted, classes),
            "macro_f1": metrics.f1_score(counted, classes, average="macro"),
        }
    )


def test_macro_f1_leaves_out_a_class_that_is_neither_seen_nor_predicted(rng):
    logits, labels = rng.normal(size=(40, 6)), rng.integers(3, size=40)
    logits[:, 4:] = -100
    found = summed(Classification(6), [(logits, labels, 40)])
    expected = metrics.f1_score(labels, logits.argmax(-1), average="macro")
    assert found["macro_f1"] == pytest.approx(expected)


def test_segmentation_ignores_pixels_without_a_label(rng):
    task = Segmentation(4)
    logits = rng.normal(size=(6, 5, 7, 4))
    labels = rng.integers(-1, 4, size=(6, 5, 7))
    known = labels >= 0
    loss = task.loss(jnp.asarray(logits), jnp.asarray(labels))
    expected = cross_entropies(logits[known], labels[known]).mean()
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    found = summed(task, [(logits[:3], labels[:3], 3), (logits[3:], labels[3:], 2)])
    counted = known & (np.arange(6) < 5)[:, None, None]
    truth, classes = labels[counted], logits.argmax(-1)[counted]
    assert found["pixel_accuracy"] == pytest.approx(metrics.accuracy_score(truth, classes))
    iou = metrics.jaccard_score(truth, classes, average="macro")
    assert found["mean_iou"] == pytest.approx(iou)


def test_depth_ignores_pixels_without_one(rng):
    task = Depth()
    predictions = rng.normal(size=(6, 4, 3, 1))
    depths = rng.uniform(0.5, 9, size=(6, 4, 3, 1)) * rng.integers(2, size=(6, 4, 3, 1))
    errors = np.abs(predictions - depths)
    loss = task.loss(jnp.asarray(predictions), jnp.asarray(depths))
    assert float(loss) == pytest.approx(errors[depths > 0].mean(), rel=1e-5)
    batches = [(predictions[:3], depths[:3], 3), (predictions[3:], depths[3:], 1)]
    counted = (depths > 0) & (np.arange(6) < 4)[:, None, None, None]
    assert summed(task, batches) == pytest.approx(
        {
            "absolute_error": errors[counted].mean(),
            "relative_error": (errors[counted] / depths[counted]).mean(),
        },
        rel=1e-5,
    )


@pytest.mark.parametrize("task", [Segmentation(3), Depth()])
def test_a_batch_in_which_nothing_is_known_has_no_loss(task):
    outputs = jnp.ones((2, 4, 4, task.num_outputs))
    targets = jnp.full((2, 4, 4), -1) if task.num_outputs > 1 else jnp.zeros((2, 4, 4, 1))
    assert float(task.loss(outputs, targets)) == 0
