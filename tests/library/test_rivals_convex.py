"""The weightings that solve a convex problem, against optimality conditions and TorchJD's outputs.

The conditions are evaluated in extended precision. What they are allowed is what rounding does to
the sums that they compare, `u = eps` of the dtype, `n_i = |g_i|` and `L = sum_i v_i n_i`, the size
that a combination would have without cancellation: storing `v` and summing K terms moves
`(M v)_i` by up to `K u n_i L`. Two kinds of case are worse, by their condition:

* where the objectives are dependent, the dual cone solver takes an objective for one inside the
  span of its support if the square of the part outside, over its norm, is below `4 K u`; by Cauchy
  that hides a violation of `sqrt(4 K u) n_i |G' v|`. The part inside, `sum_j x_j g_j / n_j` over
  the support, carries the errors of the products there over to its own: `sum_j |x_j|` times;
* the length `t = |g_w|` in CAGrad has the relative error `u (L / t)^2`.

For CAGrad the value of the minimization over the simplex and that of the maximization over the ball
are both evaluated: they bound each other, so that a small difference proves both solutions.
"""

from functools import cache
from itertools import combinations
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit
from scipy.optimize import root
from test_solvers import FAMILIES, badly_scaled_rank_deficient, gramian_of, rank_deficient

import mmpareto_jax as mmp

COUNTS = (2, 5)  # a program for all methods takes seconds to compile
CASES_EACH = 25
DTYPES = ("float32", "float64")

dtypes = pytest.mark.parametrize("dtype", DTYPES)
family_names = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
METHODS = {
    "dual_proj": mmp.weightings.dual_proj(),
    "upgrad": mmp.weightings.upgrad(),
    "fairgrad_1": mmp.weightings.fairgrad(1.0),
    "fairgrad_2": mmp.weightings.fairgrad(2.0),
    "cagrad": mmp.weightings.cagrad(0.5),
    "cagrad_wide": mmp.weightings.cagrad(1.5),
}


NASH_START = mmp.weightings.nash_mtl().init(1)  # not read where every step computes anew


def all_weights(gramian):
    """Every method's weights, and the projection of each unit preference: one program for all."""
    count = gramian.shape[0]
    found = {name: w.update(gramian, w.init(count))[0] for name, w in METHODS.items()}
    preferences = jnp.eye(count, dtype=gramian.dtype)
    found["projections"] = mmp.solvers.dual_cone_weights(gramian, preferences)
    return found


solve = quick_jit(all_weights)
bargain = quick_jit(lambda m: mmp.weightings.nash_mtl().update(m, NASH_START)[0])
solve_many = quick_jit(jax.vmap(all_weights))


def run(function, gramian):
    with jax.enable_x64(gramian.dtype == np.float64), jax.numpy_dtype_promotion("strict"):
        return jax.tree.map(np.asarray, function(gramian))


@cache
def solved(count, dtype):
    """For each family its Gramians and the solutions."""
    rng = np.random.default_rng([7, count])
    given = np.stack(
        [gramian_of(family(rng, count), dtype) for family in FAMILIES for _ in range(CASES_EACH)]
    )
    found = run(solve_many, given)
    return given, found


def cases(family, dtype, method):
    for count in COUNTS:
        given, found = solved(count, dtype)
        first = FAMILIES.index(family) * CASES_EACH
        for i in range(first, first + CASES_EACH):
            yield given[i].astype(np.longdouble), found[method][i].astype(np.longdouble)


def norms_of(gramian):
    return np.sqrt(np.diag(gramian))


def assert_projection(gramian, preference, weights, eps, dependent):
    count, norms = len(gramian), norms_of(gramian)
    size = np.abs(weights) @ norms
    products = gramian @ weights
    resolution = 2 * count * eps * norms * size
    if dependent:
        resolution *= carried_over(gramian, weights > preference)
        length = np.sqrt(max(weights @ products, 0) + count * eps * size**2)
        resolution += np.sqrt(4 * count * eps) * norms * length
    assert (weights >= preference).all()
    assert (products >= -resolution).all()
    added = (weights - preference) * norms
    assert added @ np.abs(products / np.where(norms == 0, 1, norms)) <= 2 * count * eps * size**2


def carried_over(gramian, support):
    """How often the error of a product counts: once, and where it is carried over from others."""
    norms = norms_of(gramian)
    cosines = (gramian / np.outer(norms, norms)).astype(np.float64)
    inside = np.linalg.lstsq(cosines[np.ix_(support, support)], cosines[support])[0]
    return 1 + np.where(support, 0, np.abs(inside).sum(axis=0))


@dtypes
@family_names
def test_dual_cone_weights_meet_the_conditions(family, dtype):
    eps = np.finfo(dtype).eps
    dependent = family in (rank_deficient, badly_scaled_rank_deficient)
    for gramian, weights in cases(family, dtype, "dual_proj"):
        mean = np.full(len(gramian), 1 / len(gramian), dtype).astype(np.longdouble)
        assert_projection(gramian, mean, weights, eps, dependent)
    for gramian, projections in cases(family, dtype, "projections"):
        for preference, weights in zip(np.eye(len(gramian)), projections, strict=True):
            assert_projection(gramian, preference, weights, eps, dependent)


@dtypes
@family_names
def test_upgrad_sums_the_projections(family, dtype):
    """Of dependent gradients the weights are not unique, but what they make of the gradients is."""
    eps = np.finfo(dtype).eps
    dependent = family in (rank_deficient, badly_scaled_rank_deficient)
    pairs = zip(cases(family, dtype, "upgrad"), cases(family, dtype, "projections"), strict=True)
    for (gramian, weights), (_, projections) in pairs:
        expected = projections.sum(axis=0) / len(weights)
        if dependent:
            norms = norms_of(gramian)
            resolution = 2 * len(weights) * eps * norms * (np.abs(weights) @ norms)
            assert (np.abs(gramian @ (weights - expected)) <= resolution).all()
        else:
            np.testing.assert_allclose(weights.astype(float), expected.astype(float), rtol=50 * eps)


@family_names
def test_dual_cone_weights_have_the_value_of_the_best_support(family):
    eps = np.finfo("float64").eps
    for gramian, projections in cases(family, "float64", "projections"):
        count = len(gramian)
        if count > 5:
            continue
        norms = norms_of(gramian).astype(float)
        cosines = (gramian / np.outer(norms, norms)).astype(float)
        best = cosines[0, 0]  # of the first objective alone, in units of its norm
        for size in range(1, count + 1):
            for support in map(list, combinations(range(count), size)):
                rhs = -cosines[support, 0]
                added = np.linalg.lstsq(cosines[np.ix_(support, support)], rhs, rcond=None)[0]
                if (added >= 0).all():
                    point = np.eye(count)[0]
                    point[support] += added
                    # Where the support is singular its point is large, and its value, which
                    # cannot be negative, is known only up to the rounding of its terms.
                    rounding = 2 * count * eps * point.sum() ** 2
                    best = min(best, max(point @ cosines @ point, 0) + rounding)
        point = projections[0] * norms / norms[0]
        assert point @ cosines @ point <= best + 2 * count * eps * point.sum() ** 2


@dtypes
@pytest.mark.parametrize("alpha", [1, 2])
@family_names
def test_alpha_fair_weights_solve_the_equation(family, alpha, dtype):
    eps = np.finfo(dtype).eps
    for gramian, weights in cases(family, dtype, f"fairgrad_{alpha}"):
        if not weights.any():  # only where no solution exists
            assert family in (rank_deficient, badly_scaled_rank_deficient)
            assert mmp_nearest(gramian) <= 64 * eps
            continue
        assert (weights > 0).all()
        error = np.abs(gramian @ weights - weights ** (-1 / np.longdouble(alpha)))
        assert (error <= 4 * len(gramian) * eps * (np.abs(gramian) @ weights)).all()


def mmp_nearest(gramian):
    """Squared norm of the min-norm point of the normalized gradients over its uncanceled size."""
    norms = norms_of(gramian)
    cosines = (gramian / np.outer(norms, norms)).astype(np.float64)
    weights = run(mmp.min_norm_weights, cosines)
    return weights @ cosines @ weights


def test_a_small_alpha_projects_the_sum_of_the_gradients():
    """In the limit each weight is at least one: the dual cone's problem with a preference of ones.

    Near it a weight is off by alpha times the logarithm of its objective's gain.
    """
    gramian = np.array([[1.0, -2.0], [-2.0, 5.0]])
    limit = run(lambda m: mmp.solvers.dual_cone_weights(m, jnp.ones(2)), gramian)
    np.testing.assert_allclose(limit, [2, 1])
    fair = run(quick_jit(lambda m: mmp.solvers.alpha_fair_weights(m, 0.01)), gramian)
    np.testing.assert_allclose(fair, limit, rtol=0.02)


def test_alpha_fair_weights_agree_with_scipy():
    given, found = solved(5, "float64")
    for alpha in (1, 2):
        for gramian, weights in zip(given[:8], found[f"fairgrad_{alpha}"][:8], strict=True):
            power = 1 / alpha
            equation = lambda t, m=gramian, p=power: m @ np.exp(t) - np.exp(-p * t)
            solution = root(equation, np.zeros(5), tol=1e-13)
            np.testing.assert_allclose(weights, np.exp(solution.x), rtol=1e-8)


def conflict_averse_gap(gramian, weights, c):
    """Value over the ball, its upper bound over the simplex, and what rounding allows each row."""
    count = len(gramian)
    mean = np.full(count, np.longdouble(1) / count)
    radius = c * np.sqrt(mean @ gramian @ mean)
    added = np.clip(weights - mean, 0, None)
    simplex = added / added.sum()
    length = np.sqrt(max(simplex @ gramian @ simplex, 0))
    bound = simplex @ gramian @ mean + radius * length
    norms = norms_of(gramian)
    canceled = (simplex @ norms) / length if length > 0 else np.inf
    unit = count * norms * (weights @ norms) * (1 + canceled)
    return gramian @ weights, bound, unit, np.sqrt(added @ gramian @ added) / radius, canceled


@dtypes
@pytest.mark.parametrize("c", [0.5, 1.5])
@family_names
def test_cagrad_closes_the_duality_gap(family, c, dtype):
    eps = np.finfo(dtype).eps
    for gramian, weights in cases(family, dtype, "cagrad" if c == 0.5 else "cagrad_wide"):
        if not weights.any():
            assert c == 1.5
            assert family in (rank_deficient, badly_scaled_rank_deficient)
            continue
        products, bound, unit, ratio, canceled = conflict_averse_gap(gramian, weights, c)
        mean = np.full(len(gramian), 1 / len(gramian))  # what is added to it is stored with it
        stored = weights @ norms_of(gramian) / (c * np.sqrt(mean @ gramian @ mean))
        assert (products >= bound - 2 * eps * unit).all()
        assert abs(ratio - 1) <= 2 * len(gramian) * eps * (canceled**2 + stored)
        assert (weights >= (1 - 4 * eps) / len(weights)).all()
        if c >= 1:
            assert (products >= -2 * eps * unit).all()


def golden_cases(method):
    stored = np.load(Path(__file__).parents[1] / "golden" / "reference.npz")
    for key in stored.files:
        if key.endswith("/jacobian"):
            case = key.removesuffix("/jacobian")
            yield case, stored[key], stored[f"{case}/{method}"]


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("name", ["upgrad", "dualproj"])
def test_golden_projections_solve_a_regularized_problem(name):
    # The reference projects with M / trace(M) + 1e-4 I; there ours agrees to rounding.
    for case, jacobian, expected in golden_cases(name):
        gramian = jacobian @ jacobian.T
        changed = gramian / np.trace(gramian) + 1e-4 * np.eye(len(gramian))
        found = run(solve, changed)["dual_proj" if name == "dualproj" else name]
        assert relative(found @ jacobian, expected) < 1e-12, case


@pytest.mark.parametrize("name", ["fairgrad_1", "fairgrad_2"])
def test_golden_fairgrad(name):
    for case, jacobian, expected in golden_cases(name):
        assert relative(run(solve, jacobian @ jacobian.T)[name] @ jacobian, expected) < 1e-6, case


def test_golden_cagrad():
    # The reference stops within 1e-4 of the optimum: its worst product is below ours.
    for case, jacobian, expected in golden_cases("cagrad"):
        gramian = jacobian @ jacobian.T
        weights = run(solve, gramian)["cagrad"]
        products, bound, unit, *_ = conflict_averse_gap(gramian.astype(np.longdouble), weights, 0.5)
        assert bound - products.min() <= 1e-15 * unit.max(), case
        assert relative(weights @ jacobian, expected) < 1e-3, case
        mean = jacobian.mean(axis=0)
        towards = expected - mean
        inside = mean + towards * min(1, 0.5 * np.linalg.norm(mean) / np.linalg.norm(towards))
        assert (jacobian @ inside).min() <= products.min() + 1e-15 * unit.max(), case


def test_golden_nash_mtl():
    # The reference stops at a residual of 1e-3. Both updates are clipped to norm 1, which loses
    # the scale of the weights: compared is the residual at the best scale.
    early = []
    for case, jacobian, expected in golden_cases("nash_mtl"):
        gramian = jacobian @ jacobian.T
        found = run(bargain, gramian) @ jacobian
        if relative(found, expected) >= 1e-3:
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


@pytest.mark.parametrize("name", ["upgrad", "dualproj", "fairgrad_1", "fairgrad_2", "cagrad"])
def test_golden_in_float32(name):
    for case, jacobian, expected in golden_cases(name):
        gramian = jacobian @ jacobian.T
        if name in ("upgrad", "dualproj"):  # as above
            gramian = gramian / np.trace(gramian) + 1e-4 * np.eye(len(gramian))
        weights = run(solve, gramian.astype(np.float32))[{"dualproj": "dual_proj"}.get(name, name)]
        assert relative(weights.astype(np.float64) @ jacobian, expected) < 1e-3, case


def test_golden_nash_mtl_in_float32():
    for case, jacobian, expected in golden_cases("nash_mtl"):
        weights = run(bargain, (jacobian @ jacobian.T).astype(np.float32))
        exact = run(bargain, jacobian @ jacobian.T) @ jacobian
        assert relative(weights.astype(np.float64) @ jacobian, exact) < 1e-3, case
        if case not in ("m2_t1", "m2_t2"):  # where the reference stops early
            assert relative(weights.astype(np.float64) @ jacobian, expected) < 1e-3, case


@dtypes
@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_scaled_gradients(scale, dtype):
    count = 5
    given, found = solved(count, dtype)
    square = np.asarray(scale**2, dtype)
    scaled = run(solve_many, given * square)
    rtol = {"float32": 1e-3, "float64": 1e-9}[dtype]
    power = {"fairgrad_1": -1.0, "fairgrad_2": -4 / 3}
    for name in METHODS:
        expected = found[name][:CASES_EACH] * scale ** power.get(name, 0.0)
        np.testing.assert_allclose(scaled[name][:CASES_EACH], expected, rtol=rtol, err_msg=name)


@dtypes
def test_a_zero_gradient_gives_finite_weights(dtype):
    gradients = np.random.default_rng(3).standard_normal((5, 9)) + 0.5
    gradients[2] = 0
    gramian = gramian_of(gradients, dtype)
    found = run(solve, gramian)
    assert all(np.isfinite(weights).all() for weights in found.values())
    for alpha in (1, 2):
        weights = found[f"fairgrad_{alpha}"]
        assert weights[2] == 0
        kept = np.delete(weights, 2).astype(float)
        error = np.delete(gramian.astype(float) @ weights, 2) * kept ** (1 / alpha) - 1
        assert np.abs(error).max() < 100 * np.finfo(dtype).eps
    assert found["dual_proj"][2] == np.asarray(1 / 5, dtype)


@dtypes
@pytest.mark.parametrize("count", [2, 5])
def test_nothing_but_zero_gradients(count, dtype):
    found = run(solve, np.zeros((count, count), dtype))
    assert all(np.isfinite(weights).all() for weights in found.values())
    assert not found["fairgrad_1"].any()


@dtypes
def test_one_objective(dtype):
    found = run(solve, np.array([[4.0]], dtype))
    for name, expected in {
        "dual_proj": 1, "upgrad": 1, "fairgrad_1": 0.5, "fairgrad_2": 4 ** (-2 / 3),
        "cagrad": 1.5,
    }.items():  # fmt: skip
        np.testing.assert_allclose(found[name], expected, rtol=1e-6, err_msg=name)


@dtypes
@pytest.mark.parametrize("count", [2, 5])
def test_stationary(count, dtype):
    gradients = np.vstack([np.eye(count - 1), -np.arange(2.0, count + 1)[None, :]])
    found = run(solve, gramian_of(gradients, dtype))
    for name in ("fairgrad_1", "fairgrad_2", "cagrad_wide"):
        assert not found[name].any(), name
    updates = {name: weights @ gradients for name, weights in found.items()}
    for name in ("dual_proj", "upgrad"):
        size = np.abs(found[name]) @ np.linalg.norm(gradients, axis=1)
        assert np.abs(updates[name]).max() <= 8 * count * np.finfo(dtype).eps * size, name
    assert np.isfinite(found["cagrad"]).all()


@dtypes
@pytest.mark.parametrize("count", [2, 5])
def test_a_non_finite_gramian_gives_non_finite_weights(count, dtype):
    for bad in (np.nan, np.inf):
        gramian = solved(count, dtype)[0][0].copy()
        gramian[0, 1] = gramian[1, 0] = bad
        found = run(solve, gramian)
        assert all(np.isnan(weights).all() for weights in found.values())


@pytest.mark.parametrize("dtype", ["float64"])
@pytest.mark.parametrize("count", [2, 5])
def test_vmap_and_scan_equal_a_loop(count, dtype):
    given, together = solved(count, dtype)
    scanned = run(jax.jit(lambda x: jax.lax.scan(lambda _, m: (0, all_weights(m)), 0, x)[1]), given)
    for name, weights in together.items():
        first = weights[:CASES_EACH]  # the well-conditioned
        alone = np.stack([run(solve, m)[name] for m in given[:CASES_EACH]])
        rtol = {"float32": 2e-3, "float64": 1e-9}[dtype]
        np.testing.assert_allclose(first, alone, rtol=rtol, err_msg=name)
        np.testing.assert_allclose(scanned[name][:CASES_EACH], alone, rtol=rtol, err_msg=name)


@cache
def projections_of_thirty_two():
    rng = np.random.default_rng(5)
    given = np.stack([gramian_of(family(rng, 32), "float64") for family in FAMILIES for _ in "abc"])
    project = lambda m: mmp.solvers.dual_cone_weights(m, jnp.eye(32, dtype=m.dtype))
    return given, run(quick_jit(jax.vmap(project)), given)


@family_names
def test_thirty_two_objectives(family):
    given, found = projections_of_thirty_two()
    first = 3 * FAMILIES.index(family)
    for gramian, projections in zip(
        given[first : first + 3], found[first : first + 3], strict=True
    ):
        for preference, weights in zip(np.eye(32), projections, strict=True):
            assert_projection(
                gramian.astype(np.longdouble), preference, weights, np.finfo("float64").eps, True
            )


def test_preferences():
    gramian = jnp.array([[1.0, -1.0, 0.5], [-1.0, 4.0, 0.0], [0.5, 0.0, 1.0]])
    for name in ("dual_proj", "upgrad"):
        weighting = getattr(mmp.weightings, name)([2.0, 0.0, 0.0])
        weights, _ = weighting.update(gramian, weighting.init(3))
        np.testing.assert_allclose(weights, [2.0, 0.5, 0.0], atol=1e-6)
        with pytest.raises(ValueError, match=r"preference has shape \(2,\), expected \(3,\)"):
            getattr(mmp.weightings, name)([1.0, 2.0]).init(3)


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
    both = lambda m: tuple(w.update(m, w.init(8))[0] for w in (clipped, free))
    clipped, free = (w.astype(float) for w in run(quick_jit(jax.vmap(both)), given))
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
    "make",
    [
        lambda: mmp.weightings.fairgrad(0.0),
        lambda: mmp.weightings.fairgrad(-1.0),
        lambda: mmp.weightings.cagrad(-0.1),
        lambda: mmp.weightings.nash_mtl(max_norm=0.0),
        lambda: mmp.weightings.nash_mtl(update_every=0),
        lambda: mmp.solvers.dual_cone_weights(jnp.ones((2, 3)), jnp.ones(3)),
        lambda: mmp.solvers.dual_cone_weights(jnp.eye(2), jnp.ones(3)),
        lambda: mmp.solvers.alpha_fair_weights(jnp.ones((2, 3)), 1.0),
        lambda: mmp.solvers.conflict_averse_weights(jnp.ones((2, 3)), 0.5),
    ],
)
def test_bad_arguments(make):
    with pytest.raises(ValueError):  # noqa: PT011
        make()
