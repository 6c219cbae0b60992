"""The features strategy against the exact one."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import features
from experiments.engine.comparison import Protocol


def test_agreement_by_hand():
    found = features.agreement(
        {"a": jnp.array([3.0]), "b": jnp.array([4.0])}, {"a": jnp.array([2.0]), "b": jnp.zeros(1)}
    )
    assert found.cosine == pytest.approx(0.6)
    assert found.norm_ratio == pytest.approx(2.5)


def test_records_are_by_seed():
    steps = [{"gray": features.Agreement(jnp.float32(i), jnp.float32(-i))} for i in range(6)]
    found = features.by_seed(steps, seeds=2)["gray"]
    np.testing.assert_array_equal(found.cosine, [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(found.norm_ratio, [[0, -1, -2], [-3, -4, -5]])


def test_the_table_of_agreement():
    cosine = np.array([[1.0, 0.5, 0.3], [1.0, 0.7, 0.1]])
    agreement = features.Agreement(cosine, np.ones((2, 3)))
    text = features.agreement_table({"gray": agreement}, steps_per_epoch=1)
    row = "| gray | 1.000 ± 0.000 | 0.600 ± 0.000 | 0.200 ± 0.141 | 0.100 | 1.000 ± 0.000 |"
    assert row in text


@pytest.mark.slow
def test_the_comparison_runs(tmp_path, capsys):
    features.main(Protocol(seeds=1, epochs=1), tmp_path)
    assert (tmp_path / "table.md").read_text() in capsys.readouterr().out
    results = json.loads((tmp_path / "results.json").read_text())
    assert set(results["histories"]) == {"stacked", "features"}
    cosines = np.array(results["agreement"]["gray"]["cosine"])
    assert np.all(np.abs(cosines) <= 1 + 1e-5)
