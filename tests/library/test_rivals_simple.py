"""The rivals of MMPareto against the papers (`rivals_reference`) and against TorchJD 0.18."""

from collections import Counter
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import rivals_reference as reference
from compiling import quick_jit

import mmpareto_jax as mmp

GOLDEN = Path(__file__).parents[1] / "golden" / "reference.npz"
TOLERANCE = {"float32": 1e-3, "float64": 1e-6}
dtypes = pytest.mark.parametrize("dtype", TOLERANCE)


def gramian_of(gradients, dtype="float64"):
    """The Gramian of `[..., K, P]`, of entries rounded to `dtype`, in `dtype`."""
    gradients = gradients.astype(dtype).astype(np.float64)
    return (gradients @ gradients.swapaxes(-1, -2)).astype(dtype)


def run(weighting, gramians, losses=None):
    """The weights of each step, `[T, K]`, compiled once."""
    count = gramians.shape[-1]

    def scan(gramians, losses):
        def step(state, given):
            gramian, values = given
            extra = {} if values is None else {"losses": values}
            weights, state = weighting.update(gramian, state, **extra)
            return state, weights

        return jax.lax.scan(step, weighting.init(count), (gramians, losses))[1]

    with jax.enable_x64(gramians.dtype == np.float64):
        return np.asarray(quick_jit(scan)(gramians, losses))


def in_float64(weighting, steps):
    gradients, losses = (np.stack(each) for each in zip(*steps, strict=True))
    return run(weighting, gramian_of(gradients), losses)


def random_steps(count, length=24, seed=0):
    """Gradients that drift, so that a state matters, and losses that fall at different rates."""
    rng = np.random.default_rng([seed, count])
    base = rng.standard_normal((count, 7)) * np.exp(rng.uniform(-1, 1, (count, 1)))
    rates = rng.uniform(0.01, 0.2, count)
    return [
        (
            base + 0.7 * rng.standard_normal(base.shape),
            np.exp(-rates * t) * rng.uniform(0.5, 2.0, count),
        )
        for t in range(length)
    ]


def close(found, expected, rtol=1e-9):
    np.testing.assert_allclose(found, expected, rtol=rtol, atol=rtol * np.abs(expected).max())


# ---------------------------------------------------------------- TorchJD


@cache
def golden():
    with np.load(GOLDEN) as archive:
        return dict(archive)


def golden_cases(method, count):
    """`(jacobians, updates)` of the cases that have this method, with `count` objectives."""
    names = [key.removesuffix("/jacobian") for key in golden() if key.endswith("/jacobian")]
    names = [name for name in names if len(golden()[f"{name}/jacobian"]) == count]
    names = [name for name in names if f"{name}/{method}" in golden()]
    return [(golden()[f"{name}/jacobian"], golden()[f"{name}/{method}"]) for name in names]


GOLDEN_METHODS = {
    "imtl_g": mmp.weightings.imtl_g,
    "aligned_mtl": mmp.weightings.aligned_mtl,
    "config": mmp.weightings.config,
    "mean": mmp.weightings.mean,
    "sum": mmp.weightings.uniform,
    "krum_0": mmp.weightings.krum,
    "pcgrad": mmp.weightings.pcgrad,
    "gradvac_first_step": lambda: mmp.weightings.gradvac(beta=0.5),
}


def test_every_golden_method_has_cases():
    counts = {m: sum(len(golden_cases(m, k)) for k in (2, 3, 4, 6)) for m in GOLDEN_METHODS}
    assert counts == dict.fromkeys(("imtl_g", "aligned_mtl", "config", "mean", "sum"), 17) | {
        "krum_0": 12,
        "pcgrad": 5,
        "gradvac_first_step": 5,
    }


@dtypes
@pytest.mark.parametrize("method", GOLDEN_METHODS)
@pytest.mark.parametrize("count", [2, 3, 4, 6])
def test_torchjd_agrees(method, count, dtype):
    cases = golden_cases(method, count)
    if not cases:
        pytest.skip("TorchJD's outcome is random, or needs more objectives")
    weighting = GOLDEN_METHODS[method]()
    update = quick_jit(lambda gramian: weighting.update(gramian, weighting.init(count))[0])
    for jacobian, expected in cases:
        with jax.enable_x64(dtype == "float64"):
            weights = np.asarray(update(gramian_of(jacobian, dtype)))
        assert weights.dtype == dtype
        error = np.linalg.norm(weights.astype(np.float64) @ jacobian - expected)
        assert error <= TOLERANCE[dtype] * np.linalg.norm(expected)


# ---------------------------------------------------------------- without a state


def test_mean_is_one_over_the_number_of_objectives():
    close(run(mmp.weightings.mean(), gramian_of(np.ones((1, 5, 2)))), np.full((1, 5), 0.2))


def test_constant_weights_are_used_as_given():
    weighting = mmp.weightings.constant([0.5, -2.0, 7.0])
    close(run(weighting, gramian_of(np.ones((2, 3, 2)))), np.array([[0.5, -2.0, 7.0]] * 2))


@pytest.mark.parametrize("count", [2, 4])
def test_constant_weights_must_have_the_number_of_objectives(count):
    with pytest.raises(ValueError, match=f"3.*{count}|{count}.*3"):
        mmp.weightings.constant([1.0, 2.0, 3.0]).init(count)


@pytest.mark.parametrize("weights", [1.0, np.ones((1, 2)), np.ones((2, 1, 1))])
def test_constant_weights_are_one_row(weights):
    with pytest.raises(ValueError, match="weights must be one row of numbers"):
        mmp.weightings.constant(weights)


def full_rank(count, seed=0):
    rng = np.random.default_rng([seed, count])
    return rng.standard_normal((6, count, count + 3)) * np.exp(rng.uniform(-1, 1, (6, count, 1)))


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


@pytest.mark.parametrize("method", ["aligned_mtl", "config", "dual_proj", "sdmgrad", "upgrad"])
def test_a_preference_must_have_the_number_of_objectives(method):
    weighting = getattr(mmp.weightings, method)(preference=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"preference has shape \(2,\), expected \(3,\)"):
        weighting.init(3)


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


# ---------------------------------------------------------------- random, and random orders


def test_random_weights_are_the_softmax_of_normals():
    steps, count = 4000, 3
    found = run(mmp.weightings.random(), gramian_of(np.zeros((steps, count, 1))))
    close(found.sum(axis=1), np.ones(steps))
    assert (found > 0.0).all()
    assert len(np.unique(found[:, 0])) == steps
    centered = np.log(found) - np.log(found).mean(axis=1, keepdims=True)
    covariance = centered.T @ centered / steps  # of normals less their mean: I - 1/K
    np.testing.assert_allclose(covariance, np.eye(count) - 1.0 / count, atol=0.08)
    assert np.abs(centered.mean(axis=0)).max() < 0.06
    assert (np.abs(centered).max(axis=0) > 2.0).all()
    lagged = centered[1:].T @ centered[:-1] / steps
    np.testing.assert_allclose(lagged, np.zeros((count, count)), atol=0.06)


CONFLICTING = np.array(  # pairwise conflicts before and after every projection but the last
    [
        [1.0, 0.1, 0.0, 0.0],
        [-0.5, 0.8, 0.3, 0.0],
        [-0.3, -0.6, 1.1, 0.2],
        [-0.4, -0.5, -0.7, 0.9],
    ]
)


@pytest.mark.parametrize("method", ["random", "pcgrad", "gradvac"])
def test_a_seed_fixes_the_draws(method):
    factory = getattr(mmp.weightings, method)
    gramians = gramian_of(np.stack([CONFLICTING] * 16))
    first, again, other = (run(factory(seed=seed), gramians) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("count", [3, 4])
def test_pcgrad_takes_every_order(count):
    gradients, steps = CONFLICTING[:count], 6000
    ways = list(reference.orders(count))
    outcomes = np.stack([reference.pcgrad(gradients, order) for order in ways])
    found = run(mmp.weightings.pcgrad(), gramian_of(np.stack([gradients] * steps)))
    distances = np.abs(found[:, None] - outcomes).max(axis=2)
    nearest = distances.argmin(axis=1)
    assert distances.min(axis=1).max() < 1e-12
    # which order stands behind an outcome; those that cannot be told apart count as one
    labels = np.unique(np.round(outcomes, 9), axis=0, return_inverse=True)[1].ravel()
    expected = Counter(labels.tolist())
    observed = Counter(labels[nearest].tolist())
    chi_squared = sum(
        (observed[label] - steps * n / len(ways)) ** 2 / (steps * n / len(ways))
        for label, n in expected.items()
    )
    degrees = len(expected) - 1
    assert degrees >= 3
    assert chi_squared < degrees + 5 * np.sqrt(2 * degrees)


@pytest.mark.parametrize("count", [1, 2])
def test_pcgrad_of_a_pair_is_fixed(count):
    steps = random_steps(count)
    only = next(reference.orders(count))
    expected = np.stack([reference.pcgrad(gradients, only) for gradients, _ in steps])
    for seed in (0, 1):
        close(in_float64(mmp.weightings.pcgrad(seed=seed), steps), expected)


@pytest.mark.parametrize(
    ("tiny", "expected"),
    [(1e-18, [0.5, 0.5]), (1e-20, [1, 0]), (1e-22, [1, 0]), (1e-25, [1, 0])],
)
def test_pcgrad_of_a_gradient_whose_square_is_no_float_is_finite(tiny, expected):
    """Where its square is a normal number the other gradient is projected."""
    gradients = np.array([[1, 0], [-tiny, tiny]], np.float32)
    tx = mmp.aggregate(mmp.weightings.pcgrad())
    update, _ = tx.update(gradients, tx.init(jnp.zeros(2)))
    np.testing.assert_allclose(update, expected, rtol=1e-4, atol=1e-6)


def test_pcgrad_where_a_processor_may_take_a_square_for_zero_is_finite():
    """The squares of 1e-19 are no normal numbers, and their sum is one: a CPU drops them."""
    gradients = np.array([[1, 0], [-1e-19, 1e-19]], np.float32)
    tx = mmp.aggregate(mmp.weightings.pcgrad())
    update, _ = tx.update(gradients, tx.init(jnp.zeros(2)))
    assert any(np.allclose(update, way, rtol=1e-4) for way in ([1, 0], [0.5, 0.5]))


def test_pcgrad_without_conflict_is_the_sum():
    gradients = np.abs(full_rank(4))
    np.testing.assert_array_equal(
        run(mmp.weightings.pcgrad(), gramian_of(gradients)), np.ones((6, 4))
    )


@pytest.mark.parametrize(
    ("count", "beta"), [(1, 0.5), (2, 0.01), (2, 0.5), (3, 0.01), (3, 0.5), (3, 0.9)]
)
def test_gradvac_follows_some_order_at_every_step(count, beta):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.gradvac(beta=beta), steps)
    ways = list(reference.orders(count))
    states = [np.zeros((count, count))]
    taken = set()
    for (gradients, _), weights in zip(steps, found, strict=True):
        after = {}
        for phi in states:
            for number, order in enumerate(ways):
                expected, moved = reference.gradvac(gradients, order, phi, beta)
                if np.allclose(weights, expected, rtol=1e-9, atol=1e-9):
                    after[moved.round(10).tobytes()] = moved
                    taken.add(number)
        assert after, "no order explains these weights"
        states = list(after.values())
    assert len(taken) == len(ways)


def test_gradvac_with_targets_that_stay_zero_is_pcgrad():
    steps = random_steps(2)
    expected = in_float64(mmp.weightings.pcgrad(), steps)
    close(in_float64(mmp.weightings.gradvac(beta=0.0), steps), expected)


@pytest.mark.parametrize("beta", [0.5, 1.0])
def test_gradvac_bears_parallel_gradients(beta):
    gradients = np.stack([np.array([[1.0, 2.0], [0.3, 0.6], [3.0, 6.0]])] * 12)
    found = run(mmp.weightings.gradvac(beta=beta), gramian_of(gradients, "float32"))
    assert np.isfinite(found).all()
    # the targets are 1, the cosines 1 to rounding: the update keeps its direction and its order
    assert (found > 0.0).all()
    assert (found < 100.0).all()


# ---------------------------------------------------------------- a state from step to step

UNIFORM = np.full(3, 1 / 3)


@pytest.mark.parametrize(
    ("alpha", "learning_rate"), [(1.5, 0.025), (0.0, 0.1), (0.5, 0.01), (3.0, 1.0)]
)
@pytest.mark.parametrize("count", [2, 4])
def test_gradnorm(count, alpha, learning_rate):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.gradnorm(alpha, learning_rate), steps)
    close(found, reference.gradnorm(steps, alpha, learning_rate))
    close(found.sum(axis=1), np.full(len(steps), count))
    assert (found >= 0.0).all()


def test_gradnorm_at_its_target_stays():
    steps = [(np.eye(3), np.array([1.0, 2.0, 3.0]))] * 5
    np.testing.assert_array_equal(in_float64(mmp.weightings.gradnorm(), steps), np.ones((5, 3)))


@pytest.mark.parametrize(("relax", "decay"), [(0.7, 0.9), (0.2, 0.5), (1.0, 0.0), (0.0, 0.9)])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_metabalance(count, relax, decay):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.metabalance(relax, decay), steps)
    close(found, reference.metabalance(steps, relax, decay))
    assert (found[:, 0] == 1.0).all()


@pytest.mark.parametrize(
    "options",
    [
        {"lam": 0.3, "iterations": 20, "learning_rate": 10.0, "momentum": 0.5},
        {"lam": 0.0, "iterations": 3, "learning_rate": 0.1, "momentum": 0.0},
        {"lam": 2.0, "iterations": 7, "learning_rate": 0.3, "momentum": 0.9},
    ],
)
@pytest.mark.parametrize("count", [2, 4])
def test_sdmgrad(count, options):
    steps = random_steps(count, length=12)
    found = in_float64(mmp.weightings.sdmgrad(**options), steps)
    close(found, reference.sdmgrad(steps, **options), rtol=1e-8)
    close(found.sum(axis=1), np.ones(len(steps)))
    assert (found >= 0.0).all()


def test_sdmgrad_takes_the_products_of_two_batches():
    """Some of their diagonal may be negative; it counts as zero in the mean norm, as in LibMTL."""
    products = np.array([[1.0, 0.3, -0.2], [0.5, -0.4, 0.1], [-0.3, 0.2, 4.0]])
    options = {"lam": 0.3, "iterations": 3, "learning_rate": 0.1, "momentum": 0.5}
    found = run(mmp.weightings.sdmgrad(**options), products[None])[0]
    w, velocity = np.full(3, 1 / 3), np.zeros(3)
    for _ in range(3):  # of mean norm (1 + 0 + 2) / 3
        velocity = 0.5 * velocity + products @ (w + 0.3 / 3)
        w = reference.project_on_simplex(w - 0.1 * velocity)
    close(found, (w + 0.3 / 3) / 1.3)


def test_sdmgrad_is_drawn_to_its_preference():
    steps = random_steps(3, length=12)
    options = {"lam": 0.3, "iterations": 20, "learning_rate": 0.1, "momentum": 0.5}
    preference = np.array([0.7, 0.0, 0.3])
    found = in_float64(mmp.weightings.sdmgrad(preference=preference, **options), steps)
    close(found, reference.sdmgrad(steps, preference=preference, **options), rtol=1e-8)


@pytest.mark.parametrize(
    ("gamma", "gamma_decay", "rho"), [(0.1, 0.5, 0.0), (0.02, 0.0, 3.0), (1.0, 1.0, 0.1)]
)
@pytest.mark.parametrize("count", [2, 4])
def test_moco(count, gamma, gamma_decay, rho):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.moco(gamma, gamma_decay, rho), steps)
    close(found, reference.moco(steps, gamma, gamma_decay, rho))
    assert (found >= 0.0).all()


@pytest.mark.parametrize(("temperature", "period"), [(2.0, 1), (0.5, 3), (1.0, 5)])
@pytest.mark.parametrize("count", [2, 3])
def test_dwa(count, temperature, period):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.dwa(temperature, period), steps)
    close(found, reference.dwa(steps, temperature, period))
    assert (found[: 2 * period] == 1.0).all()
    assert not (found[2 * period] == 1.0).all()


@pytest.mark.parametrize(("learning_rate", "weight_decay"), [(0.025, 1e-3), (0.5, 0.1)])
@pytest.mark.parametrize("count", [2, 4])
def test_famo(count, learning_rate, weight_decay):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.famo(learning_rate, weight_decay), steps)
    close(found, reference.famo(steps, learning_rate, weight_decay), rtol=1e-6)


def test_famo_turns_to_the_loss_that_falls_least():
    steps = [(np.eye(2), np.array([2.0 * 0.8**t, 2.0])) for t in range(50)]
    found = in_float64(mmp.weightings.famo(), steps)
    shares = found * np.stack([losses for _, losses in steps])
    assert (shares[0, 1] / shares[0].sum()) == pytest.approx(0.5)
    assert (shares[-1, 1] / shares[-1].sum()) > 0.7


@pytest.mark.parametrize("learning_rate", [2.5e-3, 0.3])
@pytest.mark.parametrize("count", [1, 3])
def test_uncertainty(count, learning_rate):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.uncertainty(learning_rate), steps)
    close(found, reference.uncertainty(steps, learning_rate))


def test_uncertainty_settles_where_each_weighted_loss_is_one_half():
    steps = [(np.eye(2), np.array([0.2, 5.0]))] * 400
    found = in_float64(mmp.weightings.uncertainty(0.3), steps)
    close(found[-1] * np.array([0.2, 5.0]), np.full(2, 0.5), rtol=1e-6)


@pytest.mark.parametrize(
    ("mu", "preference", "ideal"),
    [(1.0, None, None), (0.2, None, [0.1, 0.0, 0.3]), (3.0, [0.2, 0.5, 0.3], None)],
)
def test_stch(mu, preference, ideal):
    steps = random_steps(3)
    found = in_float64(mmp.weightings.stch(mu, preference, ideal), steps)
    weights = UNIFORM if preference is None else np.array(preference)
    best = np.zeros(3) if ideal is None else np.array(ideal)
    close(found, np.stack([reference.stch(losses, mu, weights, best) for _, losses in steps]))


@pytest.mark.parametrize("argument", ["preference", "ideal"])
def test_stch_options_must_have_the_number_of_objectives(argument):
    with pytest.raises(ValueError, match=argument):
        mmp.weightings.stch(**{argument: [0.5, 0.5]}).init(3)


@dtypes
def test_stch_of_a_small_mu_picks_the_largest_loss(dtype):
    losses = np.array([[1000.0, 3000.0, 2000.0]], dtype)
    found = run(mmp.weightings.stch(mu=1e-3), np.eye(3, dtype=dtype)[None], losses)
    np.testing.assert_allclose(found, [[0.0, 1 / 3, 0.0]], rtol=1e-6)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_geometric_mean(count):
    steps = random_steps(count)
    found = in_float64(mmp.weightings.geometric_mean(), steps)
    close(found, np.stack([reference.geometric_mean(losses) for _, losses in steps]))


def test_geometric_mean_does_not_overflow():
    for scale in (1e-30, 1e30):
        losses = np.full((1, 4), scale, np.float32) * np.arange(1, 5, dtype=np.float32)
        found = run(mmp.weightings.geometric_mean(), np.eye(4, dtype=np.float32)[None], losses)
        expected = 24**0.25 / (4 * np.arange(1.0, 5.0))
        np.testing.assert_allclose(found[0], expected, rtol=1e-4)


@pytest.mark.parametrize(
    "name", ["dwa", "famo", "gradnorm", "metabalance", "moco", "sdmgrad", "uncertainty"]
)
def test_a_float32_run_stays_near_the_float64_one(name):
    # at sdmgrad's own rate of 10 the descent is chaotic: in the reference too, gradients changed by
    # 6e-8 change weights by 0.2
    options = {"learning_rate": 0.5} if name == "sdmgrad" else {}
    steps = random_steps(3, length=10, seed=5)
    gradients, losses = (np.stack(each) for each in zip(*steps, strict=True))
    weighting = getattr(mmp.weightings, name)(**options)
    exact = run(weighting, gramian_of(gradients), losses)
    found = run(weighting, gramian_of(gradients, "float32"), losses.astype("float32"))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-3 * np.abs(exact).max())


# ---------------------------------------------------------------- coordinate by coordinate


def update_of(factory, grads, steps=1, **options):
    """The updates of `steps` steps on the same gradients."""
    with jax.enable_x64(jax.tree.leaves(grads)[0].dtype == np.float64):
        tx = factory(**options)
        state = tx.init(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[1:], leaf.dtype), grads))
        update, found = quick_jit(tx.update), []
        for _ in range(steps):
            updates, state = update(grads, state)
            found.append(jax.tree.map(np.asarray, updates))
    return found[0] if steps == 1 else found


@pytest.mark.parametrize("count", [3, 4, 6])
def test_trimmed_mean_of_one_agrees_with_torchjd(count):
    options = {"fraction": 1 / count + 1e-9, "num_objectives": count}
    for jacobian, expected in golden_cases("trimmed_mean_1", count):
        close(update_of(mmp.trimmed_mean, {"w": jacobian}, **options)["w"], expected, rtol=1e-6)
        found = update_of(mmp.trimmed_mean, {"w": jacobian.astype(np.float32)}, **options)["w"]
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    ("count", "fraction", "dropped"),
    [(4, 0.2, 0), (5, 0.2, 1), (10, 0.3, 3), (3, 0.34, 1), (9, 0.0, 0)],
)
def test_trimmed_mean_drops_the_floor_of_its_fraction(count, fraction, dropped):
    gradients = np.random.default_rng(count).standard_normal((count, 12))
    grads = {"w": gradients[:, :8].reshape(count, 2, 4), "b": gradients[:, 8:]}
    found = update_of(mmp.trimmed_mean, grads, fraction=fraction, num_objectives=count)
    expected = reference.trimmed_mean(gradients, dropped)
    close(found["w"], expected[:8].reshape(2, 4))
    close(found["b"], expected[8:])


MIXED = np.array([[3.0, -1.0, 0.0, 2.0, -2.0, 1.0], [-1.0, -2.0, 0.0, 2.0, 2.0, 0.0]])
MIXED = np.vstack([MIXED, [[2.0, -3.0, 0.0, 1.0, -1.0, -4.0]]])


@cache
def many_drops(leak):
    """The updates of `MIXED`, each coordinate in 4000 copies: `[6, 4000]`."""
    grads = {"w": np.repeat(MIXED[:, :, None], 4000, axis=2)}
    return update_of(mmp.grad_drop, grads, leak=leak, num_objectives=3)["w"]


@pytest.mark.parametrize("leak", [0.0, 0.3, 1.0, (0.0, 1.0, 0.5)])
def test_grad_drop_keeps_one_sign_as_often_as_its_purity_says(leak):
    found = many_drops(leak)
    leaks = np.broadcast_to(leak, 3)
    positive = reference.grad_drop(MIXED, np.full(6, 1e-12), leaks)  # every U below P
    negative = reference.grad_drop(MIXED, np.full(6, 1.0 - 1e-12), leaks)
    purity = 0.5 * (1.0 + MIXED.sum(axis=0) / np.maximum(np.abs(MIXED).sum(axis=0), 1e-30))
    for p in range(6):
        kept = np.isclose(found[p], positive[p], rtol=1e-9, atol=1e-12)
        dropped = np.isclose(found[p], negative[p], rtol=1e-9, atol=1e-12)
        assert (kept | dropped).all()
        if not np.isclose(positive[p], negative[p]):
            assert kept.mean() == pytest.approx(purity[p], abs=0.03)


def test_grad_drop_of_zeros_is_zero():
    np.testing.assert_array_equal(many_drops(0.0)[2], np.zeros(4000))


def test_grad_drop_with_a_full_leak_is_the_sum():
    close(many_drops(1.0), np.repeat(MIXED.sum(axis=0)[:, None], 4000, axis=1))


def test_grad_drop_draws_anew_for_every_coordinate_leaf_and_step():
    opposite = np.array([[1.0] * 64, [-1.0] * 64])
    first, second = update_of(mmp.grad_drop, {"a": opposite, "b": opposite}, steps=2)
    draws = [first["a"], first["b"], second["a"], second["b"]]
    assert len({draw.tobytes() for draw in draws}) == 4
    assert all(set(draw) == {-1.0, 1.0} for draw in draws)
    again = update_of(mmp.grad_drop, {"a": opposite, "b": opposite})
    other = update_of(mmp.grad_drop, {"a": opposite, "b": opposite}, seed=1)
    np.testing.assert_array_equal(again["a"], first["a"])
    assert not np.array_equal(other["a"], first["a"])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_grad_drop_always_keeps_a_sign_without_conflict(sign, dtype):
    grads = {"w": jnp.full((2, 20_000), sign, dtype)}
    found = update_of(mmp.grad_drop, grads)["w"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.astype(np.float32), 2.0 * sign)
