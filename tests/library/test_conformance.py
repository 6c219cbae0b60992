"""What every weighting and aggregator must do, and what each promises (promises.py).

For each number of objectives all Gramians go through a weighting in one batch, with their variants:
scaled by 1e-24 and 1e24, permuted, each gradient scaled by itself. The tests read the results.
"""

import inspect
from functools import cache
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compiling import quick_jit
from promises import COORDINATEWISE, PROMISES, WEIGHTINGS, Promise, make, make_variant

import mmpareto_jax as mmp

PROMISED_AT = (2, 3, 5, 8)
COUNTS = (
    1,
    *PROMISED_AT,
    *(pytest.param(count, marks=pytest.mark.slow) for count in (4, 6, 7, 32)),
)
"""Each takes a program for every weighting, the quick ones of which other tests read too."""

CASES = 12
all_weightings = pytest.mark.parametrize("name", WEIGHTINGS)
PREFERRING = [
    name
    for name in WEIGHTINGS
    if "preference" in inspect.signature(getattr(mmp.weightings, name)).parameters
]
all_aggregators = pytest.mark.parametrize("name", [*WEIGHTINGS, *COORDINATEWISE])


# ---------------------------------------------------------------- gradients


def random(rng, count):
    return rng.standard_normal((count, 3 * count)) + rng.uniform(0, 1)


def conflicting(rng, count):
    return rng.standard_normal((count, count + 1))


def badly_scaled(rng, count):
    return conflicting(rng, count) * np.exp(rng.uniform(-5, 5, (count, 1)))


def rank_deficient(rng, count):
    return rng.standard_normal((count, max(1, count // 2))) + rng.choice([0.0, 2.0])


def duplicated(rng, count):
    return random(rng, count)[rng.integers(0, (count + 1) // 2, count)]


def one_zero(rng, count):
    return random(rng, count) * (np.arange(count) != rng.integers(count))[:, None]


def all_zero(rng, count):
    return np.zeros((count, 2))


INDEPENDENT = (random, conflicting, badly_scaled)
FAMILIES = (*INDEPENDENT, rank_deficient, duplicated, one_zero, all_zero)


class Variants(NamedTuple):
    """An array ``[N, ...]`` for each way in which the N cases are given."""

    plain: np.ndarray
    small: np.ndarray  # Gramians times 2^-80
    large: np.ndarray  # Gramians times 2^80
    permuted: np.ndarray  # the objectives in another order
    rescaled: np.ndarray  # each gradient times a factor of its own


class Batch(NamedTuple):
    """Gradients of several families, and their Gramians and losses in all variants."""

    families: list  # [N] of the functions above
    gramians: Variants  # [N, K, K] float32
    losses: Variants  # [N, K]
    gradients: list  # [N] of [K, P] float64
    permutations: np.ndarray  # [N, K]
    factors: np.ndarray  # [N, K]


@cache
def batch(count):
    rng = np.random.default_rng(count)
    families = [family for family in FAMILIES for _ in range(CASES)]
    gradients = [family(rng, count).astype(np.float32).astype(float) for family in families]
    permutations = np.stack([rng.permutation(count) for _ in families])
    factors = np.exp2(rng.integers(-3, 4, (len(families), count)))  # powers of two: exact
    gramians = np.stack([(g @ g.T) for g in gradients]).astype(np.float32)
    losses = rng.uniform(0.1, 3, (len(families), count)).astype(np.float32)
    permuted = np.stack([m[np.ix_(p, p)] for m, p in zip(gramians, permutations, strict=True)])
    rescaled = gramians * factors[:, :, None] * factors[:, None, :]
    shuffled = np.take_along_axis(losses, permutations, axis=1)
    variants = Variants(gramians, gramians * 2.0**-80, gramians * 2.0**80, permuted, rescaled)
    return Batch(
        families,
        Variants(*(each.astype(np.float32) for each in variants)),
        Variants(losses, losses, losses, shuffled, losses),
        gradients,
        permutations,
        factors,
    )


class Outcome(NamedTuple):
    """Weights ``[N, K]`` of the first and of the second step."""

    first: Variants
    second: Variants


@cache
def outcome(name, count, as_variant=False):
    weighting = make_variant(name) if as_variant else make(name, count)
    cases = batch(count)

    def two_steps(gramian, losses):
        def step(state, losses):
            weights, state = weighting.update(gramian, state, losses=losses)
            return state, weights

        return jax.lax.scan(step, weighting.init(count), jnp.stack([losses, 0.9 * losses**1.2]))[1]

    together = map(np.concatenate, (cases.gramians, cases.losses))  # one program for all
    steps = np.asarray(quick_jit(jax.vmap(two_steps, out_axes=1))(*together), float)
    return Outcome(*(Variants(*np.split(step, len(Variants._fields))) for step in steps))


def size_without_cancellation(gradients, weights):
    """sum_j |w_j| |g_i| |g_j|: what (M w)_i is rounded in proportion to."""
    norms = np.linalg.norm(gradients, axis=1)
    return norms * (np.abs(weights) @ norms)


# ---------------------------------------------------------------- every weighting


@all_weightings
@pytest.mark.parametrize("count", COUNTS)
def test_weights_are_finite_at_any_scale_and_rank(name, count):
    for step in outcome(name, count):
        for weights in step:
            assert np.all(np.isfinite(weights))


@all_weightings
def test_one_objective_keeps_its_direction(name):
    moving = np.array([family not in (all_zero, one_zero) for family in batch(1).families])
    for weights in outcome(name, 1).first:
        assert np.all(weights[moving] > 0)


# ---------------------------------------------------------------- promises


def conflicts(name, count, as_variant=False, families=FAMILIES):
    """The worst (M w)_i over the cases, relative to its size without cancellation, or zero."""
    cases = batch(count)
    worst = 0.0
    for family, gradients, weights in zip(
        cases.families, cases.gradients, outcome(name, count, as_variant).first.plain, strict=True
    ):
        scale = size_without_cancellation(gradients, weights)
        slopes = gradients @ (weights @ gradients)
        if family in families and np.all(scale > 0):
            worst = min(worst, float(np.min(slopes / scale)))
    return worst


TOLERANCE = 2e-4
"""Of sums of terms of size one in float32, from Gramians with condition numbers up to 1e6."""


@all_weightings
def test_conflict_is_as_promised(name):
    match [promise for promise in PROMISES[name] if promise.startswith("no conflict")]:
        case [Promise.NO_CONFLICT]:
            assert all(conflicts(name, count) > -TOLERANCE for count in PROMISED_AT)
        case [Promise.NO_CONFLICT_IF_INDEPENDENT]:
            sound = [conflicts(name, count, families=INDEPENDENT) for count in PROMISED_AT]
            assert min(sound) > -TOLERANCE
            assert min(conflicts(name, count) for count in PROMISED_AT) < -TOLERANCE
        case [Promise.NO_CONFLICT_OF_TWO]:
            assert conflicts(name, 2) > -TOLERANCE
            assert conflicts(name, 8) < -TOLERANCE
        case [Promise.NO_CONFLICT_IN_A_WIDE_BALL]:
            assert all(
                conflicts(name, count, as_variant=True) > -TOLERANCE for count in PROMISED_AT
            )
            assert min(conflicts(name, count) for count in PROMISED_AT) < -TOLERANCE
        case []:
            assert min(conflicts(name, count) for count in PROMISED_AT) < -TOLERANCE
        case promises:
            raise AssertionError(f"no test knows the promise of all of {promises}")


def close(actual, expected):
    scale = np.max(np.abs(expected), axis=-1, keepdims=True)
    return np.abs(actual - expected) <= 1e-3 * np.maximum(scale, 1e-30)


@all_weightings
def test_weights_are_blind_to_a_common_scale_as_promised(name):
    linear = [
        np.all(close(step.small, step.plain)) and np.all(close(step.large, step.plain))
        for count in PROMISED_AT
        for step in outcome(name, count)
    ]
    assert all(linear) == (Promise.LINEAR in PROMISES[name])


def well_conditioned(count):
    return np.array([family is random for family in batch(count).families])


@all_weightings
def test_weights_follow_a_permutation_as_promised(name):
    equivariant = []
    for count in PROMISED_AT:
        cases, here = batch(count), well_conditioned(count)
        for step in outcome(name, count, as_variant=name == "sdmgrad"):
            permuted = np.take_along_axis(step.plain, cases.permutations, axis=1)
            equivariant.append(np.all(close(step.permuted, permuted)[here]))
    assert all(equivariant) == (Promise.EQUIVARIANT in PROMISES[name])


@all_weightings
def test_the_direction_is_unit_free_as_promised(name):
    unit_free, up_to_sign = [], []
    for count in PROMISED_AT:
        cases, weights = batch(count), outcome(name, count).first
        for index in np.flatnonzero(well_conditioned(count)):
            gradients = cases.gradients[index]
            directions = [
                weights.plain[index] @ gradients,
                weights.rescaled[index] @ (cases.factors[index][:, None] * gradients),
            ]
            units = [direction / np.linalg.norm(direction) for direction in directions]
            unit_free.append(np.allclose(*units, atol=1e-3))
            up_to_sign.append(np.isclose(abs(np.dot(*units)), 1, atol=1e-5))
    if Promise.UNIT_FREE_UP_TO_SIGN in PROMISES[name]:
        assert all(up_to_sign)
    else:
        assert all(unit_free) == (Promise.UNIT_FREE in PROMISES[name])


# ---------------------------------------------------------------- transformations


def stepped(name, count=3):
    weighting = make(name, count)
    return lambda state, inputs: weighting.update(inputs[0], state, losses=inputs[1])[::-1]


@all_weightings
def test_scan_does_what_a_loop_does(name):
    cases = batch(3)
    steps = (jnp.asarray(cases.gramians.plain[:4]), jnp.asarray(cases.losses.plain[:4]))
    step = quick_jit(stepped(name))
    state = make(name, 3).init(3)
    scan = quick_jit(lambda state, steps: jax.lax.scan(stepped(name), state, steps))
    end, scanned = scan(state, steps)
    looped = []
    for inputs in zip(*steps, strict=True):
        state, weights = step(state, inputs)
        looped.append(weights)
    np.testing.assert_allclose(scanned, np.stack(looped), rtol=1e-4, atol=1e-6)
    for one, other in zip(jax.tree.leaves(end), jax.tree.leaves(state), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)
    assert step._cache_size() == 1


def signature(tree):
    return jax.tree.map(lambda leaf: (jnp.shape(leaf), jnp.result_type(leaf)), tree)


@all_weightings
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_dtypes_are_kept_without_implicit_promotion(name, dtype):
    with jax.enable_x64(True), jax.numpy_dtype_promotion("strict"):
        weighting = make(name, 3)
        state = weighting.init(3)
        inputs = (jnp.eye(3, dtype=dtype), jnp.ones(3, dtype))
        new, weights = jax.eval_shape(stepped(name), state, inputs)
        assert signature(new) == signature(state)
        assert jax.tree.structure(new) == jax.tree.structure(state)
        assert signature(weights) == ((3,), jnp.dtype(dtype))


@pytest.mark.parametrize("name", PREFERRING)
def test_a_preference_must_have_the_number_of_objectives(name):
    weighting = getattr(mmp.weightings, name)(preference=[1.0, 2.0])
    with pytest.raises(ValueError, match=r"preference has shape \(2,\), expected \(3,\)"):
        weighting.init(3)


@all_weightings
def test_a_weighting_never_calls_back_to_the_host(name):
    inputs = (jnp.eye(3), jnp.ones(3))
    text = str(jax.make_jaxpr(stepped(name))(make(name, 3).init(3), inputs))
    assert "callback" not in text


def aggregator(name, encoders=None):
    if name in COORDINATEWISE:
        return getattr(mmp, name)(encoders, num_objectives=3)
    return mmp.aggregate(make(name, 3), encoders, num_objectives=3)


@all_aggregators
def test_a_chained_step_compiles_once_and_survives_a_bad_batch(name):
    tx = optax.chain(aggregator(name), optax.sgd(0.1, momentum=0.9))
    params = {"w": jnp.ones(4), "b": jnp.ones(())}
    rng = np.random.default_rng(0)
    grads = {
        "w": jnp.asarray(rng.normal(size=(3, 4)), jnp.float32),
        "b": jnp.asarray(rng.normal(size=3), jnp.float32),
    }

    @quick_jit
    def step(grads, state, losses):
        return tx.update(grads, state, params, losses=losses)

    losses, state = jnp.ones(3), tx.init(params)
    initial = signature(state)
    for factor in (1.0, np.nan, 1.0, 1.0):
        before = state
        updates, state = step(jax.tree.map(lambda g, f=factor: g * f, grads), state, losses)
        finite = all(np.all(np.isfinite(update)) for update in jax.tree.leaves(updates))
        assert finite == np.isfinite(factor)
        if not finite:
            state = (state[0], before[1])  # what optax.apply_if_finite around the rest would do
    assert signature(state) == initial
    assert step._cache_size() == 1


@pytest.mark.parametrize("name", COORDINATEWISE)
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_coordinatewise_aggregators_are_linear_at_any_scale(name, scale):
    for count in (1, 2, 5, 8):
        tx = getattr(mmp, name)(num_objectives=count)
        gradients = (
            jnp.asarray(random(np.random.default_rng(count), count), jnp.float32).at[:, 0].set(0)
        )
        params = jnp.zeros(gradients.shape[1])
        update = quick_jit(tx.update)
        base, _ = update(gradients, tx.init(params))
        scaled, _ = update(gradients * scale, tx.init(params))
        np.testing.assert_allclose(scaled, base * scale, rtol=1e-5)
