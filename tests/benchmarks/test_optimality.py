import json

import numpy as np
import pytest

from benchmarks import optimality
from experiments.engine.timing import Ratio

CONFLICTING = np.array([[1.0, -2.0], [-2.0, 16.0]])
SOLVED = {  # by hand: a Gramian and its solution
    "min_norm": (np.diag([1.0, 3.0]), [0.75, 0.25]),
    "cagrad": (np.diag([4.0, 4.0]), [0.75, 0.75]),
    "dual_proj": (CONFLICTING, [1.0, 0.5]),
    "upgrad": (CONFLICTING, [[0.5, 0.0625], [1.0, 0.5]]),
    "fairgrad": (np.diag([1.0, 4.0]), [1.0, 0.5]),
    "nash_mtl": (np.diag([1.0, 4.0]), [1.0, 0.5]),
}


@pytest.mark.parametrize("method", optimality.METHODS)
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_every_residual_sees_the_scale_of_the_weights(method, scale):
    gramian, weights = SOLVED[method]
    gramian, weights = scale**2 * gramian, np.asarray(weights)
    if method in ("fairgrad", "nash_mtl"):
        weights = weights / scale
    residual = optimality.METHODS[method].residual
    assert residual(gramian, weights) < 1e-12
    for factor in (1e-3, 0.9, 1.1, 1e3):
        assert residual(gramian, factor * weights) > 0.01


def test_the_residual_of_cagrad_sees_a_direction_outside_the_ball():
    gramian, weights = SOLVED["cagrad"]
    longer = 0.5 + 1.1 * (np.asarray(weights) - 0.5)
    assert optimality.METHODS["cagrad"].residual(gramian, longer) > 0.01


def test_gradients_of_the_optimality_benchmark_have_all_scales():
    norms = [np.linalg.norm(g) for g in optimality.gradients(4)]
    assert min(norms) < 0.01
    assert max(norms) > 1000


def test_optimality_is_saved_as_it_is_printed(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(optimality, "measure", lambda: [Ratio(1.0, 2.0, 3.0)])
    monkeypatch.setattr(optimality, "markdown", lambda rows: f"| {rows[0].median} |\n")
    optimality.main(tmp_path)
    text = (tmp_path / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert text.startswith("| 1.0 |\n\n`python -m benchmarks optimality` on ")
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["rows"] == [{"median": 1.0, "minimum": 2.0, "maximum": 3.0}]
