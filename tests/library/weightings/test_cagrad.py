"""`cagrad`: the direction near the mean gradient that helps the worst objective most.

Zero is outside the ball of radius `NARROW`, in units of the mean's length, and in that of `WIDE`,
where there is no conflict.
"""

import numpy as np
import pytest
from convex import METHODS, cases, counts, solve, surrounding_zero
from duality_gap import conflict_averse_gap
from gramians import DEPENDENT, dtypes, families, gramian_of, norms_of
from properties import assert_golden_in_float32, relative_error
from torchjd_golden import golden_cases

import mmpareto_jax as mmp

NARROW, WIDE = 0.5, 1.5
WEIGHTS = {c: METHODS[f"cagrad_{c}"] for c in (NARROW, WIDE)}
radii = pytest.mark.parametrize("c", WEIGHTS)


@dtypes
@radii
@families
def test_cagrad_closes_the_duality_gap(family, c, dtype):
    eps = np.finfo(dtype).eps
    for gramian, weights in cases(WEIGHTS[c], family, dtype):
        if not weights.any():
            assert c == WIDE
            assert family in DEPENDENT
            continue
        products, bound, unit, ratio, canceled = conflict_averse_gap(gramian, weights, c)
        mean = np.full(len(gramian), 1 / len(gramian))  # what is added to it is stored with it
        stored = weights @ norms_of(gramian) / (c * np.sqrt(mean @ gramian @ mean))
        assert (products >= bound - 2 * eps * unit).all()
        assert abs(ratio - 1) <= 2 * len(gramian) * eps * (canceled**2 + stored)
        assert (weights >= (1 - 4 * eps) / len(weights)).all()
        if c >= 1:
            assert (products >= -2 * eps * unit).all()


def test_golden_cagrad():
    # The reference stops within 1e-4 of the optimum: its worst product is below ours.
    for case, jacobian, expected in golden_cases("cagrad"):
        gramian = jacobian @ jacobian.T
        weights = solve(WEIGHTS[NARROW], gramian)
        exact = gramian.astype(np.longdouble)
        products, bound, unit, *_ = conflict_averse_gap(exact, weights, NARROW)
        assert bound - products.min() <= 1e-15 * unit.max(), case
        assert relative_error(weights @ jacobian, expected) < 1e-3, case
        mean = jacobian.mean(axis=0)
        towards = expected - mean
        inside = mean + towards * min(1, NARROW * np.linalg.norm(mean) / np.linalg.norm(towards))
        assert (jacobian @ inside).min() <= products.min() + 1e-15 * unit.max(), case


def test_golden_in_float32():
    assert_golden_in_float32(WEIGHTS[NARROW], "cagrad")


@dtypes
@counts
@radii
def test_stationary(c, count, dtype):
    weights = solve(WEIGHTS[c], gramian_of(surrounding_zero(count), dtype))
    assert np.isfinite(weights).all()
    if c == WIDE:
        assert not weights.any()


def test_bad_arguments():
    with pytest.raises(ValueError, match="c must be finite and at least 0"):
        mmp.weightings.cagrad(-0.1)
