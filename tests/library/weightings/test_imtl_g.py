"""`imtl_g`: the same projection of the update on every gradient."""

import numpy as np
import pytest
import rivals_reference as reference
from gramians import dtypes, gramian_of
from properties import assert_is_the_update_of_torchjd
from stepping import close, full_rank, run

import mmpareto_jax as mmp


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_imtl_g(count):
    gradients = full_rank(count)
    found = run(mmp.weightings.imtl_g(), gramian_of(gradients))
    close(found, np.stack([reference.imtl_g(g) for g in gradients]))
    # what the paper asks for: the same projection of the update on every gradient
    projections = np.einsum("tkp,tjp,tj->tk", gradients, gradients, found)
    projections /= np.linalg.norm(gradients, axis=2)
    close(projections, np.broadcast_to(projections[:, :1], projections.shape))


def test_imtl_g_is_zero_where_its_weights_sum_to_zero():
    opposite = np.array([[[1.0, 0.0], [-1.0, 0.0]], [[3.0, 4.0], [-3.0, -4.0]]])
    found = run(mmp.weightings.imtl_g(), gramian_of(opposite))
    np.testing.assert_array_equal(found, np.zeros((2, 2)))


@dtypes
@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_torchjd_agrees(count, dtype):
    assert_is_the_update_of_torchjd(mmp.weightings.imtl_g(), "imtl_g", count, dtype)
