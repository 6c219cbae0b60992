"""What several weightings have in common, each property as one assertion."""

import convex
import jax
import numpy as np
from compiling import quick_jit
from gramians import gramian_of
from stepping import random_steps, run
from torchjd_golden import golden_cases

TOLERANCE = {"float32": 1e-3, "float64": 1e-6}
"""Of an update against TorchJD's."""

CONFLICTING = np.array(  # pairwise conflicts before and after every projection but the last
    [
        [1.0, 0.1, 0.0, 0.0],
        [-0.5, 0.8, 0.3, 0.0],
        [-0.3, -0.6, 1.1, 0.2],
        [-0.4, -0.5, -0.7, 0.9],
    ]
)


def relative_error(found, expected):
    """The norm of the difference over that of what was expected."""
    return np.linalg.norm(found.astype(np.float64) - expected) / np.linalg.norm(expected)


def alignments(update, gradients):
    """`<h, g_i> / (|h| |g_i|)` for each objective, 0 where either is zero."""
    h, g = update.astype(np.float64), gradients.astype(np.float64)
    norms = np.linalg.norm(h) * np.linalg.norm(g, axis=1)
    return np.divide(g @ h, norms, out=np.zeros(len(g)), where=norms > 0)


# ---------------------------------------------------------------- updates


def assert_opposes_none(update, gradients, tolerance):
    """Check that the update is finite and has no negative product with a gradient."""
    assert np.isfinite(update).all()
    assert alignments(update, gradients).min() >= -tolerance


def assert_is_the_update_of_torchjd(weighting, method, count, dtype):
    """Check the update of every golden case with so many objectives."""
    cases = golden_cases(method, count)
    assert cases
    update = quick_jit(convex.weights_of(weighting))
    for name, jacobian, expected in cases:
        with jax.enable_x64(dtype == "float64"):
            weights = np.asarray(update(gramian_of(jacobian, dtype)))
        assert weights.dtype == dtype
        found = weights.astype(np.float64) @ jacobian
        assert relative_error(found, expected) <= TOLERANCE[dtype], name


# ---------------------------------------------------------------- weights


def assert_on_the_simplex(weights, tolerance):
    """Check that no weight is negative and that they sum to one, up to a relative error."""
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=-1, dtype=np.float64), 1.0, rtol=tolerance)


def assert_a_seed_fixes_the_draws(factory):
    """Check that one seed gives the same weights twice, and that another gives others."""
    gramians = gramian_of(np.stack([CONFLICTING] * 16))
    first, again, other = (run(factory(seed=seed), gramians) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def assert_float32_stays_near_float64(weighting):
    """Check that the rounding of ten steps does not pile up in the state."""
    steps = random_steps(3, length=10, seed=5)
    gradients, losses = (np.stack(each) for each in zip(*steps, strict=True))
    exact = run(weighting, gramian_of(gradients), losses)
    found = run(weighting, gramian_of(gradients, "float32"), losses.astype("float32"))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-3 * np.abs(exact).max())


# ---------------------------------------------------------------- functions of the Gramian alone


def assert_golden_in_float32(weights, method, change=lambda gramian: gramian):
    """Check the updates of the golden cases, from Gramians in float32."""
    for name, jacobian, expected in golden_cases(method):
        found = convex.solve(weights, change(jacobian @ jacobian.T).astype(np.float32))
        assert relative_error(found.astype(np.float64) @ jacobian, expected) < 1e-3, name


def assert_scales(weights, scale, dtype, power=0.0):
    """Check that gradients times a scale have weights times its power."""
    given, found = convex.gramians(5, dtype), convex.solved(weights, 5, dtype)
    scaled = convex.run(convex.compiled(weights)[1], given * np.asarray(scale**2, dtype))
    rtol = {"float32": 1e-3, "float64": 1e-9}[dtype]
    conditioned = slice(convex.CASES_EACH)
    expected = found[conditioned] * scale**power
    np.testing.assert_allclose(scaled[conditioned], expected, rtol=rtol)


def assert_finite_without_gradients(weights, count, dtype):
    """Check that zero gradients have finite weights."""
    assert np.isfinite(convex.solve(weights, np.zeros((count, count), dtype))).all()


def assert_not_finite_where_the_gramian_is_not(weights, count, dtype):
    """Check that an entry that is not finite makes all weights NaN."""
    for bad in (np.nan, np.inf):
        gramian = convex.gramians(count, dtype)[0].copy()
        gramian[0, 1] = gramian[1, 0] = bad
        assert np.isnan(convex.solve(weights, gramian)).all()


def assert_vanishes(weights, gradients, dtype):
    """Check that the combined gradient is zero to rounding."""
    found = convex.solve(weights, gramian_of(gradients, dtype))
    size = np.abs(found) @ np.linalg.norm(gradients, axis=1)
    allowed = 8 * len(gradients) * np.finfo(dtype).eps * size
    assert np.abs(found @ gradients).max() <= allowed


def assert_vmap_and_scan_equal_a_loop(weights, count, dtype):
    """Check the well-conditioned Gramians one by one, in a vmap and in a scan."""
    given, together = convex.gramians(count, dtype), convex.solved(weights, count, dtype)
    scan = jax.jit(lambda x: jax.lax.scan(lambda _, m: (0, weights(m)), 0, x)[1])
    scanned, conditioned = convex.run(scan, given), slice(convex.CASES_EACH)
    alone = np.stack([convex.solve(weights, m) for m in given[conditioned]])
    rtol = {"float32": 2e-3, "float64": 1e-9}[dtype]
    np.testing.assert_allclose(together[conditioned], alone, rtol=rtol)
    np.testing.assert_allclose(scanned[conditioned], alone, rtol=rtol)
