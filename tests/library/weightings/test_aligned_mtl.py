"""`aligned_mtl`: the gradients made orthogonal and of one length."""

import numpy as np
import pytest
import rivals_reference as reference
from gramians import dtypes, gramian_of
from properties import assert_is_the_update_of_torchjd
from stepping import close, full_rank, run

import mmpareto_jax as mmp


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_aligned_mtl(scale, count):
    gradients = full_rank(count)
    found = run(mmp.weightings.aligned_mtl(scale=scale), gramian_of(gradients))
    close(found, np.stack([reference.aligned_mtl(g, scale) for g in gradients]))


@pytest.mark.parametrize("scale", ["min", "median", "rmse"])
def test_aligned_mtl_counts_the_eigenvalues_within_the_rank(scale):
    plane = np.array([[3.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 2.0]])  # rank 2, K = 4
    gradients = np.stack([plane, plane @ np.array([[0.6, 0.8], [-0.8, 0.6]])])
    found = run(mmp.weightings.aligned_mtl(scale=scale), gramian_of(gradients))
    close(found, np.stack([reference.aligned_mtl(g, scale) for g in gradients]))


@pytest.mark.parametrize("count", [2, 5])
def test_aligned_mtl_has_the_task_weights_of_the_paper(count):
    """The paper's are 1 / K; its released code sums the rows of the balance transformation."""
    gradients = full_rank(count)[0]
    values, vectors = np.linalg.eigh(gradients @ gradients.T)
    balance = np.sqrt(values[0]) * (vectors / np.sqrt(values)) @ vectors.T
    given = gramian_of(gradients[None])
    close(run(mmp.weightings.aligned_mtl(), given)[0], balance.mean(axis=0))
    released = mmp.weightings.aligned_mtl(preference=np.ones(count))
    close(run(released, given)[0], balance.sum(axis=0))


def test_aligned_mtl_aligns_the_gradients():
    """Its purpose: seen through the weights of all preferences, the condition number is 1."""
    gradients = full_rank(3)[0]
    one = np.eye(3)
    rows = []
    for i in range(3):
        weighting = mmp.weightings.aligned_mtl(preference=one[i])
        rows.append(run(weighting, gramian_of(gradients[None]))[0])
    singular = np.linalg.svd(np.stack(rows) @ gradients, compute_uv=False)
    close(singular, np.full(3, np.linalg.svd(gradients, compute_uv=False).min()))


@dtypes
@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_torchjd_agrees(count, dtype):
    assert_is_the_update_of_torchjd(mmp.weightings.aligned_mtl(), "aligned_mtl", count, dtype)
