"""`krum`: the mean of the gradients with the nearest neighbors."""

import numpy as np
import pytest
import rivals_reference as reference
from gramians import dtypes, gramian_of
from properties import assert_is_the_update_of_torchjd
from stepping import close, full_rank, run

import mmpareto_jax as mmp


@pytest.mark.parametrize(
    ("count", "n_byzantine", "n_selected"),
    [(1, 0, 1), (2, 0, 1), (3, 0, 2), (4, 0, 4), (5, 1, 1), (6, 1, 3), (7, 2, 2)],
)
def test_krum(count, n_byzantine, n_selected):
    gradients = full_rank(count)
    found = run(mmp.weightings.krum(n_byzantine, n_selected), gramian_of(gradients))
    expected = [reference.krum(g, n_byzantine, n_selected, squared=True) for g in gradients]
    close(found, np.stack(expected))


def test_krum_sums_squared_distances():
    """As Blanchard et al. (2017, section 4) have it; TorchJD 0.18 sums the distances."""
    points = np.array([[-3.0, -4.0], [4.0, -6.0], [4.0, 5.0], [3.0, 3.0], [-6.0, 0.0]])
    by_square = reference.krum(points, 1, squared=True)
    assert not np.array_equal(by_square, reference.krum(points, 1))
    found = run(mmp.weightings.krum(n_byzantine=1), gramian_of(points[None]))[0]
    np.testing.assert_array_equal(found, by_square)


def test_krum_leaves_the_byzantine_gradients_out():
    rng = np.random.default_rng(3)
    gradients = 1.0 + 0.1 * rng.standard_normal((4, 7, 5))
    gradients[:, 5:] = -50.0 * rng.standard_normal((4, 2, 5))
    found = run(mmp.weightings.krum(n_byzantine=2, n_selected=3), gramian_of(gradients))
    assert (found[:, 5:] == 0.0).all()
    close(found.sum(axis=1), np.ones(4))


@pytest.mark.parametrize(
    ("n_byzantine", "n_selected", "count"), [(1, 1, 4), (2, 1, 6), (0, 4, 3), (1, 6, 5)]
)
def test_krum_needs_enough_objectives(n_byzantine, n_selected, count):
    with pytest.raises(ValueError, match="krum needs at least"):
        mmp.weightings.krum(n_byzantine, n_selected).init(count)


@dtypes
@pytest.mark.parametrize("count", [3, 4, 6])
def test_torchjd_agrees(count, dtype):
    assert_is_the_update_of_torchjd(mmp.weightings.krum(), "krum_0", count, dtype)
