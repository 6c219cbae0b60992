"""Hyper-parameters that are known only when the step runs: injected, scheduled, under vmap."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from compiling import quick_jit

import mmpareto_jax as mmp

COUNT = 3
STEPS = 4
CANDIDATES = (0.0, 0.4, 1.0, 1.5, float("inf"))


def weighting_aggregator(factory):
    return lambda **values: mmp.aggregate(factory(**values), num_objectives=COUNT)


def aggregator(factory):
    return lambda **values: factory(num_objectives=COUNT, **values)


def factories():
    """Every public factory: what it makes as an aggregator, and its parameters."""
    for name in mmp.weightings.__all__:
        factory = getattr(mmp.weightings, name)
        if inspect.isfunction(factory) and name not in mmp.weightings.COMBINATORS:
            yield name, weighting_aggregator(factory), inspect.signature(factory).parameters
    for name in mmp.__all__:
        function = getattr(mmp, name)
        parameters = inspect.signature(function).parameters if inspect.isfunction(function) else {}
        if "num_objectives" in parameters and name != "aggregate":
            others = {key: p for key, p in parameters.items() if key != "num_objectives"}
            yield f"mmp.{name}", aggregator(function), others


def parameters_of(kind):
    return [
        pytest.param(make, key, parameter.default, id=f"{name}-{key}")
        for name, make, parameters in factories()
        for key, parameter in parameters.items()
        if type(parameter.default) is kind
    ]


def valid(make, key, value):
    try:
        make(**{key: value})
    except ValueError:
        return False
    return True


GRADIENTS = np.random.default_rng(0).standard_normal((STEPS, COUNT, 4))
GRADIENTS[:, 1] -= 0.7 * GRADIENTS[:, 0]
LOSSES = np.random.default_rng(1).uniform(0.2, 2, (STEPS, COUNT))


def run(tx, **injected):
    """The updates of some steps, with these values for what is injected."""

    def step(state, inputs):
        updates, state = tx.update(inputs[0], state, jnp.zeros(4), losses=inputs[1])
        return state, updates

    state = tx.init(jnp.zeros(4))
    if injected:
        state.hyperparams.update(injected)
    return jax.lax.scan(step, state, (jnp.asarray(GRADIENTS), jnp.asarray(LOSSES)))[1]


@pytest.mark.parametrize(("make", "key", "default"), parameters_of(float))
def test_a_number_may_be_injected_scheduled_and_mapped(make, key, default):
    values = [value for value in (default, *CANDIDATES) if valid(make, key, value)]

    def factory(value):
        return make(**{key: value})

    with jax.enable_x64(True):
        known = quick_jit(lambda: [run(factory(value)) for value in values])()
        # One program, and so one compilation, for all values.
        injected = optax.inject_hyperparams(factory)(default)
        found = quick_jit(jax.vmap(lambda value: run(injected, value=value)))(np.array(values))
        scheduled = optax.inject_hyperparams(factory)(lambda count: jnp.asarray(values)[count])
        assert jax.eval_shape(lambda: run(scheduled)).shape == known[0].shape

    np.testing.assert_allclose(found, known, rtol=1e-9, atol=1e-12)
    assert not np.allclose(known, known[0]), "the hyper-parameter changes nothing"


@pytest.mark.parametrize(("make", "key", "default"), parameters_of(int))
def test_a_whole_number_is_needed_before_the_step_unless_it_is_a_seed(make, key, default):
    def update(value):
        return run(make(**{key: value}))

    if key == "seed":
        np.testing.assert_allclose(quick_jit(update)(default), run(make()), rtol=1e-4)
    else:
        with pytest.raises(ValueError, match=f"^{key} must be an integer, .*static_args"):
            jax.eval_shape(update, default)
        with pytest.raises(ValueError, match=f"^{key} must be at least [01], got -1$"):
            make(**{key: -1})


def test_one_weight_for_each_objective_may_be_injected():
    def factory(weights):
        return mmp.aggregate(mmp.weightings.constant(weights), num_objectives=COUNT)

    weights = jnp.array([1.0, 0.5, 2.0])
    tx = optax.inject_hyperparams(factory)(weights)
    found = quick_jit(lambda: run(tx))()
    np.testing.assert_allclose(found, np.einsum("i,tip->tp", weights, GRADIENTS), rtol=1e-5)


@pytest.mark.parametrize(
    ("fraction", "count", "trimmed"),
    [(0.29, 100, 29), (0.2, 32, 6), (0.2, 5, 1), (0.0, 4, 0), (0.49, 50, 24), (1 / 3, 3, 1)],
)
@pytest.mark.parametrize("dtype", ["float", "float32", "bfloat16"])
def test_the_trimmed_fraction_is_rounded_as_it_is_meant(fraction, count, trimmed, dtype):
    given = fraction if dtype == "float" else jnp.asarray(fraction, dtype)
    gradients = jnp.asarray(np.random.default_rng(2).permuted(np.arange(count) ** 2.0)[:, None])

    def update(fraction):
        tx = mmp.trimmed_mean(fraction=fraction, num_objectives=count)
        return tx.update(gradients, tx.init(jnp.zeros(1)))[0]

    found = update(given) if dtype == "float" else jax.jit(update)(given)
    expected = np.mean((np.arange(count) ** 2.0)[trimmed : count - trimmed])
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mmp.weightings.cagrad(c=-0.1), r"c must be finite and at least 0, got -0\.1"),
        (
            lambda: mmp.weightings.famo(learning_rate="x"),
            "learning_rate must be finite and at least 0, got 'x'",
        ),
        (lambda: mmp.weightings.famo(weight_decay=-1), "weight_decay must be finite and at least"),
        (lambda: mmp.weightings.gradnorm(alpha=np.inf), "alpha must be finite, got inf"),
        (lambda: mmp.weightings.gradnorm(learning_rate=-1), "learning_rate must be finite and at"),
        (lambda: mmp.weightings.uncertainty(np.nan), "learning_rate must be finite and at least 0"),
        (lambda: mmp.weightings.moco(gamma=-1), "gamma must be finite and at least 0, got -1"),
        (lambda: mmp.weightings.moco(gamma_decay=-1), "gamma_decay must be finite and at least 0"),
        (lambda: mmp.weightings.moco(rho=np.inf), "rho must be finite and at least 0, got inf"),
        (lambda: mmp.weightings.sdmgrad(learning_rate=-1), "learning_rate must be finite and at"),
        (lambda: mmp.weightings.sdmgrad(momentum=1), r"momentum must be in \[0, 1\), got 1"),
        (lambda: mmp.weightings.uniform(np.nan), "scale must be finite, got nan"),
        (lambda: mmp.weightings.dwa(temperature=0), r"temperature must be positive, got 0"),
        (
            lambda: mmp.weightings.gradvac(beta=jnp.float32(2)),
            r"beta must be in \[0, 1\], got 2\.0",
        ),
        (lambda: mmp.weightings.metabalance(decay=1), r"decay must be in \[0, 1\), got 1"),
        (lambda: mmp.weightings.nash_mtl(max_norm=jnp.nan), r"max_norm must be positive, got nan"),
        (lambda: mmp.weightings.stch(mu=jnp.ones(2)), r"mu must be one number, got shape \(2,\)"),
        (lambda: mmp.mmpareto(gamma=np.float32(0)), r"gamma must be positive and finite, got 0\.0"),
        (lambda: mmp.trimmed_mean(fraction=0.5), r"fraction must be in \[0, 1/2\), got 0\.5"),
        (lambda: mmp.track_gradients(rate=0), r"rate must be in \(0, 1\], got 0"),
        (
            lambda: mmp.aggregate(mmp.weightings.mean(), num_objectives=1.5),
            "num_objectives must be",
        ),
    ],
)
def test_a_known_number_out_of_range_is_an_error_of_one_line(make, message):
    with pytest.raises(ValueError, match=f"^{message}") as raised:
        make()
    assert "\n" not in str(raised.value)
