"""The trace of an epoch, against NumPy."""

import numpy as np
import pytest

import mmpareto_jax as mmp
from experiments.reports.paper.trace import WINDOWS, Trace


def diagnostics(gradients):
    """Of one step, [K, P] gradients, in float64."""
    gramian = gradients @ gradients.T
    norms = np.sqrt(np.diag(gramian))
    cosines = gramian / np.outer(norms, norms)
    cosine = cosines[~np.eye(len(norms), dtype=bool)].min(initial=1)
    weights = np.ones(len(norms))
    return mmp.Diagnostics(gramian, cosine, norms, weights, np.ones(()), cosine < 0, False)


def shortest(gradients):
    """The norm of the shortest point between two gradients, by brute force."""
    shares = np.linspace(0, 1, 100_001)[:, None]
    return np.linalg.norm(shares * gradients[0] + (1 - shares) * gradients[1], axis=1).min()


@pytest.mark.parametrize("steps", [2, 4, 11])
def test_the_parts_of_an_epoch_are_means_of_its_steps(steps):
    rng = np.random.default_rng(0)
    gradients = rng.standard_normal((steps, 2, 3))
    alone = rng.standard_normal((steps, 1, 3))
    trace = Trace()
    for two, one in zip(gradients, alone, strict=True):
        trace.add({"encoders": {"gray": diagnostics(two), "head": diagnostics(one)}})
    found = trace.take()
    assert list(found) == ["gray"]  # one objective is in conflict with nothing
    parts = np.array_split(np.arange(steps), min(WINDOWS, steps))
    every = [diagnostics(two) for two in gradients]
    for index, part in enumerate(parts):
        cosine = np.mean([every[i].cosine for i in part])
        assert found["gray"]["cosine"][index] == pytest.approx(cosine, rel=1e-3)
        assert found["gray"]["conflict"][index] == pytest.approx(
            np.mean([every[i].conflict for i in part]), rel=1e-3
        )
        assert found["gray"]["norms"][index] == pytest.approx(
            np.mean([every[i].norms for i in part], axis=0), rel=1e-3
        )
        assert found["gray"]["shortest"][index] == pytest.approx(
            np.mean([shortest(gradients[i]) for i in part]), rel=1e-3
        )


def test_an_epoch_begins_where_the_one_before_ended():
    rng = np.random.default_rng(1)
    trace = Trace()
    epochs = []
    for _ in range(2):
        gradients = rng.standard_normal((2, 3))
        trace.add({"encoders": {"gray": diagnostics(gradients)}})
        epochs.append((shortest(gradients), trace.take()["gray"]["shortest"]))
    for expected, found in epochs:
        assert found == pytest.approx([expected], rel=1e-3)
