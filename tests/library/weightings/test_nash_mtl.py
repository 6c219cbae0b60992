"""`nash_mtl`: the same relative gain for every objective, clipped, and kept for some steps."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit
from convex import run, solve, weights_of
from gramians import dtypes, gramian_of
from properties import relative_error
from torchjd_golden import golden_cases

import mmpareto_jax as mmp

WEIGHTS = weights_of(mmp.weightings.nash_mtl())


def test_golden_nash_mtl():
    # The reference stops at a residual of 1e-3. Both updates are clipped to norm 1, which loses
    # the scale of the weights: compared is the residual at the best scale.
    early = []
    for case, jacobian, expected in golden_cases("nash_mtl"):
        gramian = jacobian @ jacobian.T
        found = solve(WEIGHTS, gramian) @ jacobian
        if relative_error(found, expected) >= 1e-3:
            early.append(case)
        weights = {
            "ours": np.linalg.lstsq(jacobian.T, found)[0],
            "reference": np.linalg.lstsq(jacobian.T, expected)[0],
        }
        if np.linalg.matrix_rank(jacobian) == len(jacobian):
            gains = {name: w * (gramian @ w) for name, w in weights.items()}
            spread = {name: np.abs(gain / gain.mean() - 1).max() for name, gain in gains.items()}
            assert spread["ours"] < 1e-10, case
            assert case not in early or spread["reference"] > 1e-3, case
    assert early in ([], ["m2_t1"], ["m2_t2"], ["m2_t1", "m2_t2"])


def test_golden_nash_mtl_in_float32():
    for case, jacobian, expected in golden_cases("nash_mtl"):
        weights = solve(WEIGHTS, (jacobian @ jacobian.T).astype(np.float32))
        exact = solve(WEIGHTS, jacobian @ jacobian.T) @ jacobian
        assert relative_error(weights.astype(np.float64) @ jacobian, exact) < 1e-3, case
        if case not in ("m2_t1", "m2_t2"):  # where the reference stops early
            assert relative_error(weights.astype(np.float64) @ jacobian, expected) < 1e-3, case


def test_nash_mtl_keeps_its_weights_between_updates():
    weighting = mmp.weightings.nash_mtl(max_norm=float("inf"), update_every=2)
    given = jnp.stack([jnp.diag(jnp.array([1.0, s])) for s in (4.0, 9.0, 16.0)])
    step = lambda state, gramian: weighting.update(gramian, state)[::-1]
    state, weights = quick_jit(lambda s, x: jax.lax.scan(step, s, x))(weighting.init(2), given)
    np.testing.assert_array_equal(weights[0], weights[1])
    assert not np.allclose(weights[1], weights[2])
    assert int(state.step) == 3
    np.testing.assert_array_equal(state.weights, weights[2])


SCALES = (2.0**-40, 1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3, 2.0**40)


@dtypes
def test_nash_mtl_weighs_the_gradients_as_they_are(dtype):
    # Fewer than eight objectives: the rest are zero gradients, which take no part. One program.
    rng = np.random.default_rng(11)
    cases = [rng.standard_normal((count, 12)) + 0.3 for count in range(2, 9)]
    units = [np.exp2(rng.integers(-6, 7, (len(case), 1))) for case in cases]
    gradients = [case * scale for case in cases for scale in SCALES]
    gradients += [case * unit for case, unit in zip(cases, units, strict=True)]
    gradients.append(0.01 * np.array([[1.0, 0.0], [0.0, 2.0]]))
    counts = [len(g) for g in gradients]
    given = np.stack([np.pad(gramian_of(g, dtype), (0, 8 - len(g))) for g in gradients])
    clipped, free = (mmp.weightings.nash_mtl(length) for length in (1.0, float("inf")))
    both = lambda m: jnp.stack([w.update(m, w.init(8))[0] for w in (clipped, free)])
    clipped, free = run(quick_jit(jax.vmap(both, out_axes=1)), given).astype(float)
    rtol = 1000 * np.finfo(dtype).eps
    np.testing.assert_allclose(free[-1, :2], [100, 50], rtol=rtol)
    for count, gramian, weights, shorter in zip(
        counts, given.astype(float), free, clipped, strict=True
    ):
        gains = weights * (gramian @ weights)
        np.testing.assert_allclose(gains[:count], 1, rtol=rtol)
        assert not weights[count:].any()
        np.testing.assert_allclose(shorter, weights / np.sqrt(count), rtol=rtol)


def test_nash_mtl_clips_kept_weights_where_the_scale_of_the_gradients_jumps():
    weighting = mmp.weightings.nash_mtl(update_every=9)
    state = weighting.init(2)._replace(step=jnp.int32(1), weights=jnp.array([2.0**60, 2.0**61]))
    gramian = 2.0**100 * np.array([[1.0, -0.5], [-0.5, 4.0]])
    weights = run(lambda m: weighting.update(m, state)[0], gramian.astype(np.float32))
    weights = weights.astype(float)
    np.testing.assert_allclose(weights @ gramian @ weights, 1, rtol=1e-6)
    np.testing.assert_allclose(weights[1] / weights[0], 2, rtol=1e-6)


def test_nash_mtl_clips_the_norm_of_the_update():
    gramian = jnp.diag(jnp.array([1.0, 4.0]))
    for max_norm in (0.3, 1.0):
        weighting = mmp.weightings.nash_mtl(max_norm=max_norm)
        weights, _ = weighting.update(gramian, weighting.init(2))
        norm = mmp.solvers.root(mmp.solvers.quadratic_form(gramian, weights))
        np.testing.assert_allclose(norm, max_norm, rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_norm": 0.0}, "max_norm must be positive"),
        ({"update_every": 0}, "update_every must be at least 1"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        mmp.weightings.nash_mtl(**arguments)
