"""`mmp.mmpareto` against Algorithm 1 in NumPy, and the properties that the paper promises."""

from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from reference import mmpareto_pair, mmpareto_stack

import mmpareto_jax as mmp

GAMMA = 1.5
WIDE, NARROW = -0.9, -0.999  # cosines down to which the two accuracies are promised
ACCURACY = {("float32", WIDE): 1e-5, ("float32", NARROW): 1e-3}
ACCURACY |= {("float64", WIDE): 1e-10, ("float64", NARROW): 1e-8}
OPPOSITION = {"float32": 1e-3, "float64": 1e-8}
# how many pairs of each length, for 1,000 in all
LENGTHS = {10: 300, 32: 250, 100: 200, 316: 120, 1_000: 80, 10_000: 40}
LENGTHS |= {100_000: 8, 1_000_000: 2}
NAMES = ("joint", "uni", "third", "fourth", "fifth")

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
properties = settings(max_examples=100, deadline=None, derandomize=True)


class Outcome(NamedTuple):
    """What the library made of one stack of gradients."""

    update: np.ndarray
    report: object  # the diagnostics of the encoder


@cache
def transformation(count, rescale="encoder"):
    encoder = mmp.Encoder(params="enc", objectives=NAMES[:count])
    return mmp.mmpareto({"enc": encoder}, gamma=GAMMA, rescale=rescale)


@cache
def step(count, rescale):
    tx = transformation(count, rescale)

    @jax.jit
    def run(gradients):
        params = jax.tree.map(lambda leaf: jnp.zeros_like(leaf[0]), gradients)
        updates, state = tx.update(gradients, tx.init(params), params)
        return updates, mmp.diagnostics(state)["enc"]

    return run


def integrate_tree(tree, rescale="encoder"):
    """The update and the diagnostics for one encoder with leaves `[K, ...]`."""
    first = jax.tree.leaves(tree)[0]
    with jax.enable_x64(first.dtype == np.float64):
        updates, report = step(len(first), rescale)({"enc": tree})
        return Outcome(jax.tree.map(np.asarray, updates["enc"]), jax.tree.map(np.asarray, report))


def integrate(gradients):
    """The update and the diagnostics for gradients `[K, P]` of one tensor."""
    updates, report = integrate_tree({"w": gradients})
    return Outcome(updates["w"], report)


def controlled_pair(rng, length, cosine, ratio, dtype="float32", scale=1.0):
    """Two gradients `[2, length]` at a given cosine, the second `ratio` times as long."""
    first, second = rng.standard_normal((2, length))
    first /= np.linalg.norm(first)
    second -= (second @ first) * first
    second /= np.linalg.norm(second)
    other = cosine * first + np.sqrt((1.0 - cosine) * (1.0 + cosine)) * second
    return (scale * np.stack([first, ratio * other])).astype(dtype)


def log_uniform(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def random_pairs(dtype, floor):
    """Pairs that share 1,000 between the two ranges of the cosine, as (rng, length) -> pair."""
    rng = np.random.default_rng(int(-floor * 1000))
    for length, count in LENGTHS.items():
        for _ in range(count // 2):
            if floor == WIDE:
                cosine = rng.uniform(WIDE, 1.0)
                cosine = np.copysign(max(abs(cosine), 1e-3), cosine)  # the rule jumps at zero
            else:
                cosine = log_uniform(rng, 1.0 + NARROW, 1.0 + WIDE) - 1.0
            ratio, scale = log_uniform(rng, 1e-4, 1e4), log_uniform(rng, 1e-3, 1e3)
            yield controlled_pair(rng, length, cosine, ratio, dtype, scale)


def relative_error(found, expected):
    return np.linalg.norm(found.astype(np.float64) - expected) / np.linalg.norm(expected)


def alignments(update, gradients):
    """`<h, g_i> / (|h| |g_i|)` for each objective, 0 where either is zero."""
    h, g = update.astype(np.float64), gradients.astype(np.float64)
    norms = np.linalg.norm(h) * np.linalg.norm(g, axis=1)
    return np.divide(g @ h, norms, out=np.zeros(len(g)), where=norms > 0)


def expected_pair(pair):
    return mmpareto_pair(pair[0].astype(np.float64), pair[1].astype(np.float64), GAMMA)


# 1,000 pairs in each precision: 500 with cosines down to -0.9, 500 from there down to -0.999


@dtypes
@pytest.mark.parametrize("floor", [WIDE, NARROW])
def test_update_equals_algorithm_1(dtype, floor):
    errors = [
        relative_error(integrate(pair).update, expected_pair(pair).update)
        for pair in random_pairs(dtype, floor)
    ]
    assert len(errors) == 500
    assert max(errors) <= ACCURACY[dtype, floor]


@dtypes
@pytest.mark.parametrize("floor", [WIDE, NARROW])
def test_magnitude_is_gamma_times_that_of_the_sum(dtype, floor):
    for pair in list(random_pairs(dtype, floor))[:300]:
        expected = GAMMA * np.linalg.norm(pair.astype(np.float64).sum(axis=0))
        found = np.linalg.norm(integrate(pair).update.astype(np.float64))
        assert found == pytest.approx(expected, rel=ACCURACY[dtype, floor])


@dtypes
def test_nearly_opposite_gradients_give_descent_or_stationarity(dtype):
    rng = np.random.default_rng(0)
    lowest = 1e-10 if dtype == "float32" else 1e-18
    for _ in range(300):
        gap = log_uniform(rng, lowest, 1.0 + NARROW)  # 1 + cos
        ratio, length = log_uniform(rng, 1e-4, 1e4), int(rng.choice([10, 100, 1_000]))
        pair = controlled_pair(rng, length, gap - 1.0, ratio, dtype)
        update, report = integrate(pair)
        assert np.isfinite(update).all()
        if report.stationary:
            assert not update.any()
        else:
            assert update.any()
            assert alignments(update, pair).min() >= -OPPOSITION[dtype]


@dtypes
def test_gradients_apart_by_a_hundred_roundings_are_not_called_stationary(dtype):
    rng = np.random.default_rng(1)
    gap = 100 * float(np.finfo(dtype).eps)
    for _ in range(50):
        pair = controlled_pair(rng, 100, gap - 1.0, log_uniform(rng, 0.1, 10.0), dtype)
        assert not integrate(pair).report.stationary


@dtypes
@pytest.mark.parametrize("ratio", [1.0, 0.5, 1024.0, 2.0**-13])
def test_exactly_opposite_gradients_are_stationary(dtype, ratio):
    rng = np.random.default_rng(2)
    for length in (10, 1_000, 100_000):
        gradient = rng.standard_normal(length).astype(dtype)
        update, report = integrate(np.stack([gradient, -gradient * np.asarray(ratio, dtype)]))
        assert report.stationary
        assert not update.any()


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16], ids=["bfloat16", "float16"])
def test_half_precision_update_is_off_by_its_own_rounding_only(dtype):
    rng = np.random.default_rng(3)
    for length in (10, 100, 1_000, 10_000):
        for _ in range(25):
            ratio = log_uniform(rng, 0.1, 10.0)
            cosine = rng.choice([rng.uniform(WIDE, -0.1), rng.uniform(0.1, 1.0)], p=[0.8, 0.2])
            # entries near 1, inside the range of float16
            pair = controlled_pair(rng, length, cosine, ratio, dtype, np.sqrt(length))
            update = integrate(pair).update
            assert update.dtype == dtype
            expected = expected_pair(pair).update
            rounding = float(jnp.finfo(dtype).eps) / 2
            assert relative_error(update, expected) <= rounding + ACCURACY["float32", WIDE]


# What the state says


@dtypes
@pytest.mark.parametrize("floor", [WIDE, NARROW])
def test_reported_weights_reproduce_the_update(dtype, floor):
    for pair in list(random_pairs(dtype, floor))[:100]:
        update, report = integrate(pair)
        combined = report.weights.astype(np.float64) @ pair.astype(np.float64)
        assert relative_error(update, combined) <= ACCURACY[dtype, floor]


@dtypes
def test_report_agrees_with_the_gradients(dtype):
    tolerance = ACCURACY[dtype, WIDE]
    for pair in list(random_pairs(dtype, WIDE))[:100]:
        report, expected = integrate(pair).report, expected_pair(pair)
        assert report.cosine == pytest.approx(expected.cosine, abs=tolerance)
        norms = np.linalg.norm(pair.astype(np.float64), axis=1)
        np.testing.assert_allclose(report.norms, norms, rtol=tolerance)
        # gamma lambda: what the weights 2 alpha, which sum to 2, are multiplied with
        assert report.scale == pytest.approx(expected.weights.sum() / 2.0, rel=tolerance)
        assert bool(report.conflict) == (expected.cosine < 0)
        assert not report.stationary


# Where the rule jumps: an inner product of exactly zero is no conflict


@dtypes
@pytest.mark.parametrize("product", [2.0**-12, 2.0**-40, 0.0])
def test_non_negative_product_gives_the_plain_sum(dtype, product):
    pair = np.array([[1, 0], [product, 2]], dtype)
    update, report = integrate(pair)
    np.testing.assert_allclose(update, GAMMA * pair.sum(axis=0), rtol=1e-6)
    assert not report.conflict


@dtypes
@pytest.mark.parametrize("product", [-(2.0**-12), -(2.0**-40)])
def test_negative_product_gives_the_min_norm_direction(dtype, product):
    pair = np.array([[1, 0], [product, 2]], dtype)
    update, report = integrate(pair)
    assert relative_error(update, expected_pair(pair).update) <= ACCURACY[dtype, WIDE]
    assert update[0] > update[1]  # the plain sum has it the other way round
    assert report.conflict


# Properties

cosines = st.one_of(
    st.floats(-1.0, 1.0),
    st.floats(-10.0, 0.0).map(lambda exponent: 10.0**exponent - 1.0),  # near opposite
)
ratios = st.floats(-4.0, 4.0).map(lambda exponent: 10.0**exponent)
lengths = st.sampled_from([10, 100])
seeds = st.integers(0, 2**32 - 1)
magnitudes = st.floats(2.0**-10, 2.0**10, width=32)
entries = st.one_of(st.just(0.0), magnitudes, magnitudes.map(lambda x: -x))
free_pairs = hnp.arrays(np.float64, (2, 6), elements=entries)
small_pairs = hnp.arrays(np.float64, (2, 3), elements=st.integers(-2, 2).map(float))


@properties
@given(seed=seeds, length=lengths, cosine=cosines, ratio=ratios)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_update_opposes_no_objective_at_any_angle(dtype, seed, length, cosine, ratio):
    pair = controlled_pair(np.random.default_rng(seed), length, cosine, ratio, dtype)
    update = integrate(pair).update
    assert np.isfinite(update).all()
    assert alignments(update, pair).min() >= -OPPOSITION[dtype]


@properties
@given(pair=st.one_of(free_pairs, small_pairs.map(lambda pair: np.tile(pair, 2))))
@example(pair=np.array([[1.0, 0, 0, 0, 0, 0], [-1.0, 0, 0, 0, 0, 2.0**-10]]))
@example(pair=np.array([[1.0, 1, 1, 1, 1, 1], [-1024.0, -1024, -1024, -1024, -1024, -1023]]))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_update_opposes_no_objective_of_any_entries(dtype, pair):
    pair = pair.astype(dtype)
    update = integrate(pair).update
    assert np.isfinite(update).all()
    assert alignments(update, pair).min() >= -OPPOSITION[dtype]


@properties
@given(pair=small_pairs)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stationarity_is_reported_exactly_where_it_holds(dtype, pair):
    a, b, c = pair[0] @ pair[0], pair[1] @ pair[1], pair[0] @ pair[1]
    # 0 is on the segment; one zero gradient takes no part, and the other is no stationary point
    expected = (a == 0 and b == 0) or (c < 0 and a * b == c * c)
    assert bool(integrate(pair.astype(dtype)).report.stationary) == expected


@properties
@given(pair=small_pairs)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_degenerate_pairs_equal_algorithm_1(dtype, pair):
    pair = pair.astype(dtype)
    expected = expected_pair(pair)
    scale = max(1.0, np.abs(expected.update).max())
    if expected.cosine < 0 and expected.cosine < -1 + 1e-12:  # exactly opposite
        np.testing.assert_array_equal(integrate(pair).update, np.zeros(3))
    else:
        error = np.abs(integrate(pair).update - expected.update).max()
        assert error <= ACCURACY[dtype, WIDE] * scale


def comparable(cosine):
    """Cosines that keep their accuracy, and their sign when the gradients are rounded anew."""
    return cosine >= WIDE and abs(cosine) >= 1e-4


@properties
@given(seed=seeds, length=lengths, cosine=cosines.filter(comparable), ratio=ratios)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_permuting_objectives_changes_nothing(dtype, seed, length, cosine, ratio):
    pair = controlled_pair(np.random.default_rng(seed), length, cosine, ratio, dtype)
    (update, report), (permuted, permuted_report) = integrate(pair), integrate(pair[::-1])
    assert relative_error(permuted, update) <= ACCURACY[dtype, WIDE]
    np.testing.assert_allclose(
        permuted_report.weights, report.weights[::-1], rtol=ACCURACY[dtype, WIDE]
    )


@properties
@given(
    seed=seeds,
    length=lengths,
    cosine=cosines.filter(comparable),
    ratio=ratios,
    scale=st.floats(-12.0, 12.0).map(lambda exponent: 10.0**exponent),
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scaling_all_gradients_scales_the_update(dtype, seed, length, cosine, ratio, scale):
    def update(scale):
        rng = np.random.default_rng(seed)
        return integrate(controlled_pair(rng, length, cosine, ratio, dtype, scale)).update

    expected = scale * update(1.0).astype(np.float64)
    assert relative_error(update(scale), expected) <= 2 * ACCURACY[dtype, WIDE]


# Special gradients


@dtypes
def test_zero_gradients_give_a_zero_update(dtype):
    update, report = integrate(np.zeros((2, 10), dtype))
    assert not update.any()
    assert report.stationary
    assert all(np.isfinite(field).all() for field in report)


@dtypes
@pytest.mark.parametrize("zero", [0, 1])
def test_one_zero_gradient_leaves_gamma_times_the_other(dtype, zero):
    pair = np.random.default_rng(4).standard_normal((2, 10)).astype(dtype)
    pair[zero] = 0.0
    update, report = integrate(pair)
    np.testing.assert_allclose(update, GAMMA * pair[1 - zero], rtol=1e-6)
    assert not report.stationary
    assert report.norms[zero] == 0
    assert all(np.isfinite(field).all() for field in report)


@dtypes
@pytest.mark.parametrize("factor", [1.0, 3.0, 1e-4, 1e4])
def test_collinear_gradients_give_gamma_times_their_sum(dtype, factor):
    gradient = np.random.default_rng(5).standard_normal(100).astype(dtype)
    pair = np.stack([gradient, np.asarray(factor, dtype) * gradient])
    update, report = integrate(pair)
    np.testing.assert_allclose(update, GAMMA * pair.sum(axis=0), rtol=1e-6)
    assert not report.conflict
    assert not report.stationary


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("objective", [0, 1])
def test_a_non_finite_gradient_gives_a_non_finite_update(objective, bad):
    pair = np.random.default_rng(6).standard_normal((2, 10)).astype(np.float32)
    pair[objective, 3] = bad
    assert not np.isfinite(integrate(pair).update).any()


# The Gramian is that of the whole encoder


def split(gradients):
    """Gradients `[K, 32]` as a tree of unlike leaves."""
    count = len(gradients)
    return {
        "conv": {"kernel": gradients[:, :24].reshape(count, 2, 3, 4), "bias": gradients[:, 24:28]},
        "scale": gradients[:, 28],
        "dense": [gradients[:, 29:31].reshape(count, 1, 2), gradients[:, 31:]],
    }


@dtypes
def test_an_encoder_is_integrated_as_one_vector(dtype):
    rng = np.random.default_rng(7)
    for cosine in (-0.9, -0.5, -0.1, 0.1, 0.9):
        pair = controlled_pair(rng, 32, cosine, 3.0, dtype)
        updates, _ = integrate_tree(split(pair))
        expected = split(expected_pair(pair).update[None].astype(dtype))
        for found, wanted in zip(jax.tree.leaves(updates), jax.tree.leaves(expected), strict=True):
            assert found.shape == wanted.shape[1:]
            np.testing.assert_allclose(found, wanted[0], rtol=1e-4, atol=ACCURACY[dtype, WIDE])


@dtypes
def test_a_tree_without_named_encoders_is_one_encoder(dtype):
    tx = mmp.mmpareto(gamma=GAMMA)
    pair = controlled_pair(np.random.default_rng(8), 32, -0.5, 3.0, dtype)
    gradients = split(pair)
    with jax.enable_x64(dtype == "float64"):
        params = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape[1:], leaf.dtype), gradients)
        updates, _ = jax.jit(tx.update)(gradients, tx.init(params), params)
    expected, _ = integrate_tree(gradients)
    for found, wanted in zip(jax.tree.leaves(updates), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


# More than two objectives


def random_stacks(count, dtype):
    """In conflict and not, with no product so near to zero that rounding decides its sign."""
    rng = np.random.default_rng(count)
    stacks = []
    while len(stacks) < 60:
        stack = rng.standard_normal((count, 16)) + rng.choice([0.0, 0.3, 2.0])
        stack *= np.exp(rng.uniform(-1.0, 1.0, (count, 1)))
        unit = stack / np.linalg.norm(stack, axis=1, keepdims=True)
        if np.abs(unit @ unit.T).min() >= 1e-3:
            stacks.append(stack.astype(dtype))
    return stacks


@dtypes
@pytest.mark.parametrize("count", [3, 4, 5])
def test_several_objectives_are_integrated_by_our_reading(dtype, count):
    conflicts = []
    for stack in random_stacks(count, dtype):
        update, report = integrate(stack)
        assert relative_error(update, mmpareto_stack(stack, GAMMA)) <= ACCURACY[dtype, WIDE]
        conflict = bool((stack.astype(np.float64) @ stack.T < 0).any())
        assert bool(report.conflict) == conflict
        assert not report.stationary
        conflicts.append(conflict)
    assert 10 <= sum(conflicts) <= 50  # the sample holds both cases


@dtypes
@pytest.mark.parametrize("count", [3, 4, 5])
def test_several_objectives_are_never_opposed(dtype, count):
    for stack in random_stacks(count, dtype):
        assert alignments(integrate(stack).update, stack).min() >= -OPPOSITION[dtype]


@dtypes
@pytest.mark.parametrize("count", [3, 4, 5])
def test_permuting_several_objectives_changes_nothing(dtype, count):
    rng = np.random.default_rng(9)
    for stack in random_stacks(count, dtype)[:20]:
        update = integrate(stack).update
        permuted = integrate(stack[rng.permutation(count)]).update
        assert relative_error(permuted, update) <= ACCURACY[dtype, WIDE]


@dtypes
def test_gradients_that_surround_zero_are_stationary(dtype):
    rng = np.random.default_rng(10)
    first, second = rng.integers(-8, 9, (2, 10)).astype(np.float64)
    stack = np.stack([first, second, -(first + second)]).astype(dtype)
    update, report = integrate(stack)
    assert report.stationary
    assert not update.any()


@dtypes
def test_two_of_three_equal_gradients_are_integrated(dtype):
    pair = controlled_pair(np.random.default_rng(11), 16, -0.5, 2.0, dtype)
    stack = pair[[0, 1, 1]]
    direction = mmpareto_pair(*pair.astype(np.float64), 1.0).update
    norm = GAMMA * np.linalg.norm(stack.astype(np.float64).sum(axis=0))
    expected = direction / np.linalg.norm(direction) * norm
    assert relative_error(integrate(stack).update, expected) <= ACCURACY[dtype, WIDE]


def with_zeros(pair, count):
    """The pair among `count` objectives, the others' gradients zero."""
    stack = np.zeros((count, pair.shape[1]), pair.dtype)
    stack[[1, count - 1]] = pair
    return stack


@dtypes
@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
@pytest.mark.parametrize("count", [3, 5])
def test_zero_gradients_take_no_part(count, rescale, dtype):
    rng = np.random.default_rng(12)
    pairs = [np.array([[1.0, 0.0] * 8, [-0.5, 1.0] * 8], dtype)]
    pairs += [
        controlled_pair(rng, 16, cosine, log_uniform(rng, 1e-3, 1e3), dtype)
        for cosine in (*rng.uniform(-0.95, -0.05, 10), *rng.uniform(0.05, 0.95, 5))
    ]
    for pair in pairs:
        alone = integrate_tree({"a": pair[:, :10], "b": pair[:, 10:]}, rescale)
        stack = with_zeros(pair, count)
        found = integrate_tree({"a": stack[:, :10], "b": stack[:, 10:]}, rescale)
        for name, expected in alone.update.items():
            np.testing.assert_allclose(found.update[name], expected, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(
            found.report.weights[[1, count - 1]], alone.report.weights, rtol=1e-4, atol=1e-6
        )
        np.testing.assert_allclose(found.report.scale, alone.report.scale, rtol=1e-5)
        assert found.report.conflict == alone.report.conflict
        assert not found.report.stationary


@dtypes
@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
def test_opposite_gradients_beside_a_zero_one_are_stationary(rescale, dtype):
    pair = np.array([[1, 2, 3], [-2, -4, -6]], dtype)
    update, report = integrate_tree({"w": with_zeros(pair, 3)}, rescale)
    assert report.stationary
    assert not update["w"].any()


@dtypes
@pytest.mark.parametrize("rescale", ["encoder", "leaf"])
def test_nothing_but_zero_gradients_is_stationary(rescale, dtype):
    update, report = integrate_tree({"w": np.zeros((3, 4), dtype)}, rescale)
    assert report.stationary
    assert not update["w"].any()


def test_a_tiny_gradient_takes_part_by_its_direction():
    """So a zero gradient is the limit of none: the updates from two sides differ.

    Each tiny gradient opposes neither of the others and is the min-norm point.
    """
    pair = np.array([[1.0, 0.0], [-0.5, 1.0]])
    for tiny in (1e-10 * np.array([0.2, 1.0]), 1e-10 * np.array([1.0, 1.0])):
        stack = np.vstack([pair, tiny])
        update = integrate(stack).update
        assert (
            relative_error(
                update, GAMMA * np.linalg.norm(pair.sum(axis=0)) * tiny / np.linalg.norm(tiny)
            )
            <= 1e-6
        )


# The weightings on their own

GRAMIAN = np.array([[1.0, -1.0], [-1.0, 4.0]], np.float32)


def weights_of(weighting, gramian):
    weights, _ = weighting.update(gramian, weighting.init(len(gramian)))
    return np.asarray(weights)


def test_uniform_weights_are_one():
    assert weights_of(mmp.weightings.uniform(), GRAMIAN).tolist() == [1.0, 1.0]


def test_min_norm_weights_sum_to_the_number_of_objectives():
    # b - c = 5, a - c = 2: alpha = (5/7, 2/7)
    found = weights_of(mmp.weightings.min_norm(), GRAMIAN)
    np.testing.assert_allclose(found, [10 / 7, 4 / 7], rtol=1e-6)


def test_mmpareto_weights_are_enlarged_min_norm_weights():
    # |2 alpha . g|^2 = 4 (a b - c^2) / (a + b - 2 c) = 12 / 7 and |g_m + g_u|^2 = 3
    found = weights_of(mmp.weightings.mmpareto(gamma=2.0), GRAMIAN)
    scale = 2.0 * np.sqrt(3 / (12 / 7))
    np.testing.assert_allclose(found, scale * np.array([10 / 7, 4 / 7]), rtol=1e-6)


def test_mmpareto_weights_are_gamma_without_conflict():
    found = weights_of(mmp.weightings.mmpareto(gamma=2.0), abs(GRAMIAN))
    np.testing.assert_allclose(found, [2.0, 2.0], rtol=1e-6)


@pytest.mark.parametrize(
    ("weighting", "weights"),
    [("uniform", [1.0, 1.0]), ("min_norm", [10 / 7, 4 / 7])],
)
def test_aggregate_combines_by_the_weights(weighting, weights):
    tx = mmp.aggregate(
        getattr(mmp.weightings, weighting)(),
        {"enc": mmp.Encoder(params="enc", objectives=NAMES[:2])},
    )
    pair = np.array([[1, 0], [-1, np.sqrt(3)]], np.float32)  # with that Gramian
    params = {"enc": {"w": jnp.zeros(2)}}
    updates, _ = tx.update({"enc": {"w": jnp.asarray(pair)}}, tx.init(params), params)
    np.testing.assert_allclose(updates["enc"]["w"], weights @ pair, rtol=1e-6, atol=1e-6)
