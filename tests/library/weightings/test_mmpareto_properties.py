"""`mmpareto` of any two gradients: it opposes none of them, and follows their order and scale."""

import numpy as np
from gramians import dtypes
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pairs import ACCURACY, OPPOSITION, WIDE, controlled_pair, expected_pair, integrate
from properties import assert_opposes_none, relative_error

properties = settings(max_examples=100, deadline=None, derandomize=True)

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
@dtypes
def test_update_opposes_no_objective_at_any_angle(dtype, seed, length, cosine, ratio):
    pair = controlled_pair(np.random.default_rng(seed), length, cosine, ratio, dtype)
    assert_opposes_none(integrate(pair).update, pair, OPPOSITION[dtype])


@properties
@given(pair=st.one_of(free_pairs, small_pairs.map(lambda pair: np.tile(pair, 2))))
@example(pair=np.array([[1.0, 0, 0, 0, 0, 0], [-1.0, 0, 0, 0, 0, 2.0**-10]]))
@example(pair=np.array([[1.0, 1, 1, 1, 1, 1], [-1024.0, -1024, -1024, -1024, -1024, -1023]]))
@dtypes
def test_update_opposes_no_objective_of_any_entries(dtype, pair):
    pair = pair.astype(dtype)
    assert_opposes_none(integrate(pair).update, pair, OPPOSITION[dtype])


@properties
@given(pair=small_pairs)
@dtypes
def test_stationarity_is_reported_exactly_where_it_holds(dtype, pair):
    a, b, c = pair[0] @ pair[0], pair[1] @ pair[1], pair[0] @ pair[1]
    # 0 is on the segment; one zero gradient takes no part, and the other is no stationary point
    expected = (a == 0 and b == 0) or (c < 0 and a * b == c * c)
    assert bool(integrate(pair.astype(dtype)).report.stationary) == expected


@properties
@given(pair=small_pairs)
@dtypes
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
@dtypes
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
@dtypes
def test_scaling_all_gradients_scales_the_update(dtype, seed, length, cosine, ratio, scale):
    def update(scale):
        rng = np.random.default_rng(seed)
        return integrate(controlled_pair(rng, length, cosine, ratio, dtype, scale)).update

    expected = scale * update(1.0).astype(np.float64)
    assert relative_error(update(scale), expected) <= 2 * ACCURACY[dtype, WIDE]
