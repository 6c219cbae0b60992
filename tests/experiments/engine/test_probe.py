"""The linear probe."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.engine import program
from experiments.engine.probe import linear_probe
from experiments.errors import UserError


@pytest.fixture
def compiled(linear, digits):
    return program.build(linear(method="joint"), digits)


def test_a_probe_of_features_that_tell_the_class_is_right(compiled, digits, monkeypatch):
    """The representations are replaced: one encoder knows the label, the other knows nothing."""

    def represent(state, batch):
        knows = jax.nn.one_hot(batch["label"], 10)
        return {"knows": knows, "ignores": jnp.zeros_like(knows)}, {"label": batch["label"]}

    scores = linear_probe(compiled._replace(represent=represent), compiled.initial_state(0))
    assert scores["knows"] == {"accuracy": 1.0, "macro_f1": 1.0}
    labels = digits["test"]["label"]
    assert scores["ignores"]["accuracy"] == pytest.approx(np.bincount(labels).max() / 500, abs=0.03)


def test_a_probe_sees_every_sample_once(compiled, digits):
    state = compiled.initial_state(0)
    seen = []

    def represent(state, batch):
        seen.append(np.asarray(batch["label"]))
        return compiled.represent(state, batch)

    scores = linear_probe(compiled._replace(represent=represent), state)
    assert scores.keys() == {"gray", "color"}
    num_train = len(digits["train"]["label"])
    np.testing.assert_array_equal(np.concatenate(seen)[:num_train], digits["train"]["label"])


def test_several_tasks_have_nothing_to_probe(compiled):
    strange = compiled._replace(represent=lambda state, batch: ({}, {"left": batch["label"]}))
    with pytest.raises(UserError, match="one label for all modalities"):
        linear_probe(strange, compiled.initial_state(0))
