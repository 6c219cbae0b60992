"""Evaluation of a model on the test set."""

from typing import Any

import jax
import numpy as np

from experiments.program import Program


def predictions(program: Program, params: Any) -> dict[str, np.ndarray]:
    """The class that each head predicts for each test sample.

    Args:
      program: The compiled program of the run.
      params: The model's parameters.

    Returns:
      For each head the classes, int32 ``[N]``.
    """
    num_samples = len(program.test_labels)
    size = program.predict_batch_size
    batches = []
    for start in range(0, num_samples, size):
        # The last batch is filled up from the start of the set, so that one program fits all.
        samples = np.arange(start, start + size) % num_samples
        batches.append(program.predict(params, program.test_set, samples))
    by_head = jax.tree.map(lambda *parts: np.concatenate(parts), *jax.device_get(batches))
    return {head: classes[:num_samples] for head, classes in by_head.items()}


def accuracy(program: Program, params: Any) -> dict[str, float]:
    """The share of test samples that each trained head classifies correctly."""
    labels = program.test_labels
    classes = predictions(program, params)
    return {head: float(np.mean(classes[head] == labels)) for head in program.heads}


def accuracy_and_macro_f1(program: Program, params: Any) -> dict[str, dict[str, float]]:
    """Accuracy and macro F1 (the mean of the classes' F1 scores) of each trained head."""
    from sklearn import metrics  # not needed to train

    labels = program.test_labels
    classes = predictions(program, params)
    return {
        head: {
            "accuracy": float(metrics.accuracy_score(labels, classes[head])),
            "macro_f1": float(metrics.f1_score(labels, classes[head], average="macro")),
        }
        for head in program.heads
    }
