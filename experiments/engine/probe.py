"""The linear probe: the scores of a linear classifier on the frozen encoders of a run.

It scores encoders that were trained without a head of their own. The paper's Table 1 marks these
scores with an asterisk.
"""

from typing import Any, NamedTuple

import jax
import numpy as np

from experiments.engine.evaluate import Scores
from experiments.engine.program import Program
from experiments.engine.state import TrainState
from experiments.errors import UserError

ITERATIONS = 1000
"""The limit of L-BFGS iterations; on standardized features fewer are needed."""


class Represented(NamedTuple):
    """A set as the encoders represent it: features ``[N, F]`` by encoder, and labels ``[N]``."""

    representations: dict[str, np.ndarray]
    labels: np.ndarray


def linear_probe(program: Program, state: TrainState) -> Scores:
    """Return the accuracy and macro F1 of a logistic regression on each frozen encoder.

    The regression is fitted to the standardized representations of the training set, without
    augmentation, and scored on those of the test set. Every encoder is probed, also one that has a
    head.

    Args:
      program: The compiled program of the run.
      state: The state whose encoders are probed.

    Returns:
      By encoder, ``accuracy`` and ``macro_f1``, from 0 to 1.

    Raises:
      UserError: If the data set has no joint label.

    References:
      Peng et al., `Balanced multimodal learning via on-the-fly gradient modulation
      <https://arxiv.org/abs/2203.15332>`_, 2022, from which the paper has this evaluation.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import accuracy_score, f1_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    train, test = (_represented(program, state, split) for split in ("train", "test"))
    scores = {}
    for name, features in train.representations.items():
        classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=ITERATIONS))
        classifier.fit(features, train.labels)
        classes = classifier.predict(test.representations[name])
        scores[name] = {
            "accuracy": float(accuracy_score(test.labels, classes)),
            "macro_f1": float(f1_score(test.labels, classes, average="macro")),
        }
    return scores


def _represented(program: Program, state: TrainState, split: str) -> Represented:
    batches = []
    for batch, counted in program.feed.evaluation(split):
        representations, targets = jax.device_get(program.represent(state, batch))
        batches.append(_counted(representations, targets, counted))
    return jax.tree.map(lambda *parts: np.concatenate(parts), *batches)


def _counted(representations: Any, targets: Any, counted: np.ndarray) -> Represented:
    if "label" not in targets:
        raise UserError("a linear probe needs a data set with one label for all modalities")
    features = {name: array[counted] for name, array in representations.items()}
    return Represented(features, targets["label"][counted])
