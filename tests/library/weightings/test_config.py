"""`config`: the same cosine of the update with every gradient."""

import numpy as np
import pytest
import rivals_reference as reference
from gramians import dtypes, gramian_of
from properties import assert_is_the_update_of_torchjd
from stepping import close, full_rank, run

import mmpareto_jax as mmp


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_config(count):
    gradients = full_rank(count)
    found = run(mmp.weightings.config(), gramian_of(gradients))
    update = np.einsum("tk,tkp->tp", found, gradients)
    close(update, np.stack([reference.config(g) for g in gradients]))
    # what the paper asks for: the same cosine with every gradient
    projections = np.einsum("tkp,tp->tk", gradients, update) / np.linalg.norm(gradients, axis=2)
    close(projections, np.broadcast_to(projections[:, :1], projections.shape))


def test_config_has_cosines_in_proportion_to_its_preference():
    gradients, preference = full_rank(3), np.array([1e-3, 2e-3, 4e-3])
    found = run(mmp.weightings.config(preference), gramian_of(gradients))
    update = np.einsum("tk,tkp->tp", found, gradients)
    close(update, np.stack([reference.config(g, preference) for g in gradients]))
    projections = np.einsum("tkp,tp->tk", gradients, update) / np.linalg.norm(gradients, axis=2)
    close(projections[:, 1:] / projections[:, :1], np.tile([2.0, 4.0], (6, 1)))


@dtypes
@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_torchjd_agrees(count, dtype):
    assert_is_the_update_of_torchjd(mmp.weightings.config(), "config", count, dtype)
