"""What the methods promise at Pareto stationary points, where gradients combine to zero.

The gradients are `[K, P]` with `sum_i l_i g_i = 0` for some `l > 0`, to rounding, for K = 2 to 20.
All of them go through one program for 20 objectives: the rest are zero gradients, which take no
part, but count in the mean of `cagrad`, whose weights are K / 20 of those without them.
"""

from functools import cache

import jax
import numpy as np
import pytest
from compiling import quick_jit
from duality_gap import conflict_averse_gap
from gramians import DEPENDENT, FAMILIES, dtypes, gramian_of

import mmpareto_jax as mmp

MOST = 20
CASES = 96  # in each batch, so that one program does
JUST_BELOW_ONE = {"float32": 1 - 2.0**-20, "float64": 1 - 2.0**-40}

STOPPING = {
    "mmpareto": mmp.weightings.mmpareto(),
    "cagrad_1": mmp.weightings.cagrad(1.0),
    "nash_mtl": mmp.weightings.nash_mtl(),
}
PROJECTING = {"dual_proj": mmp.weightings.dual_proj(), "upgrad": mmp.weightings.upgrad()}


@cache
def program(dtype):
    below = mmp.weightings.cagrad(JUST_BELOW_ONE[dtype])
    methods = STOPPING | PROJECTING | {"cagrad_below": below}

    def all_weights(gramian):
        found = {name: w.update(gramian, w.init(MOST))[0] for name, w in methods.items()}
        nearest = mmp.solvers.nearest_of_nonzero(gramian)
        return found | {
            "nearest": nearest,
            "stationary": mmp.solvers.is_stationary(gramian, nearest),
        }

    return quick_jit(jax.vmap(all_weights))


def solved(dtype, gradients):
    """Each method's weights of each set of gradients, without those of the zeros added to it."""
    padded = [np.pad(gramian_of(g, dtype), (0, MOST - len(g))) for g in gradients]
    with jax.enable_x64(dtype == "float64"):
        found = jax.tree.map(np.asarray, program(dtype)(np.stack(padded)))
    assert all(np.isfinite(weights).all() for weights in found.values())
    return {
        name: [w if w.ndim == 0 else w[: len(g)] for w, g in zip(weights, gradients, strict=True)]
        for name, weights in found.items()
    }


def stationary_set(rng, count):
    """In some cases of full rank but one, in others of less; of equal or unequal norms."""
    size = int(rng.integers(1, count)) if rng.random() < 0.5 else count + 3
    gradients = rng.standard_normal((count, size))
    shares = rng.uniform(0.05, 1, count)
    gradients[-1] = -(shares[:-1] @ gradients[:-1]) / shares[-1]
    return gradients * np.exp(rng.uniform(-3, 3, (count, 1) if rng.random() < 0.5 else ()))


@cache
def stationary_sets(dtype):
    rng = np.random.default_rng(13)
    counts = np.resize(np.arange(2, MOST + 1), CASES - 1)
    gradients = [stationary_set(rng, count).astype(dtype).astype(float) for count in counts]
    gradients.append(np.array([[-1.0, 2.0], [-1.0, 1.0], [6.0, -9.0]]))
    return gradients, solved(dtype, gradients)


def products_and_size(gradients, weights):
    """`(M w)_i` and what it would be without cancellation."""
    weights, norms = weights.astype(float), np.linalg.norm(gradients, axis=1)
    return gradients @ (weights @ gradients), norms * (np.abs(weights) @ norms)


@dtypes
@pytest.mark.parametrize("method", STOPPING)
def test_the_update_is_zero_at_stationary_points(method, dtype):
    _, found = stationary_sets(dtype)
    assert all(found["stationary"])
    for weights in found[method]:
        assert not weights.any()


@dtypes
@pytest.mark.parametrize("method", [*PROJECTING, "nearest"])
def test_a_projection_is_zero_to_rounding_at_stationary_points(method, dtype):
    eps = np.finfo(dtype).eps
    sets, found = stationary_sets(dtype)
    for gradients, weights in zip(sets, found[method], strict=True):
        products, size = products_and_size(gradients, weights)
        assert (products >= -8 * len(weights) * eps * size).all()
        length = np.linalg.norm(weights.astype(float) @ gradients)
        norms = np.linalg.norm(gradients, axis=1)
        assert length <= 4 * np.sqrt(len(weights) * eps) * (np.abs(weights) @ norms)


@dtypes
def test_cagrad_just_below_one_conflicts_no_more_than_the_mean_gradient_shrunk(dtype):
    """`(1 - c) g_0` is in the ball, so the best worst product is at least that of it."""
    gradients, found = stationary_sets(dtype)
    for rows, weights in zip(gradients, found["cagrad_below"], strict=True):
        products, size = products_and_size(rows, weights)
        mean = rows.sum(axis=0) / MOST
        shrunk = (1 - JUST_BELOW_ONE[dtype]) * np.min(rows @ mean)
        assert (products >= shrunk - 16 * np.finfo(dtype).eps * size).all()


@dtypes
def test_cagrad_of_radius_one_closes_the_duality_gap_elsewhere(dtype):
    eps = np.finfo(dtype).eps
    rng = np.random.default_rng(14)
    families = [family for family in FAMILIES for _ in range(CASES // len(FAMILIES))]
    gradients = [family(rng, int(rng.integers(2, 9))) for family in families]
    found = solved(dtype, gradients)
    for family, rows, weights, stationary in zip(
        families, gradients, found["cagrad_1"], found["stationary"], strict=True
    ):
        assert weights.any() != stationary
        if stationary:
            assert family in DEPENDENT
            continue
        gramian = gramian_of(rows, dtype).astype(np.longdouble)
        weights = weights.astype(np.longdouble) * MOST / len(rows)
        products, bound, unit, *_ = conflict_averse_gap(gramian, weights, 1)
        assert (products >= bound - 2 * eps * unit).all()
        assert (products >= -2 * eps * unit).all()
