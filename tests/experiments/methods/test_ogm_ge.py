"""OGM-GE against float64 NumPy."""

import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import first_epoch

from experiments import methods
from experiments.config import Config
from experiments.engine import program
from experiments.errors import UserError

# In its package the name is that of the factory.
ogm_ge = importlib.import_module("experiments.methods.ogm_ge")

KEY = jax.random.key(0)


def published_coefficients(scores, alpha):
    """Equations 9 and 10 of Peng et al.; for more than two, against the mean of the others."""
    ratios = [s / np.mean(np.delete(scores, index)) for index, s in enumerate(scores)]
    return [1 - np.tanh(alpha * ratio) if ratio > 1 else 1.0 for ratio in ratios]


@pytest.mark.parametrize("modalities", [2, 3])
def test_scores_are_those_of_the_paper_for_a_concatenation(fused, modalities):
    params, run = fused(modalities)
    forward = run(params)
    weight, bias = (np.float64(params["heads"]["joint"][name]) for name in ("kernel", "bias"))
    blocks = np.split(weight, modalities)
    labels = np.asarray(forward.batch["label"])
    for name, score in ogm_ge.scores(forward).items():
        features = np.float64(forward.representations[name])
        part = np.exp(features @ blocks[int(name[1:])] + bias / modalities)
        chances = part / part.sum(1, keepdims=True)
        np.testing.assert_allclose(score, chances[np.arange(len(labels)), labels].sum(), rtol=1e-5)


@pytest.mark.parametrize("fusion", ["sum", "gated", "film"])
def test_every_fusion_has_scores(fused, fusion):
    params, run = fused(3, fusion)
    forward = run(params)
    scores = np.array(list(ogm_ge.scores(forward).values()))
    assert np.all((scores > 0) & (scores < len(forward.batch["label"])))


@pytest.mark.parametrize("scores", [[3.0, 1.0], [1.0, 3.0], [2.0, 2.0], [1.0, 4.0, 2.5]])
def test_coefficients_slow_those_ahead(scores):
    given = {str(index): jnp.float32(score) for index, score in enumerate(scores)}
    coefficients = ogm_ge.coefficients(given, 0.7)
    wanted = published_coefficients(scores, 0.7)
    np.testing.assert_allclose(list(coefficients.values()), wanted, rtol=1e-5)


def test_the_encoders_alone_are_modulated():
    method = methods.build(Config(method="ogm-ge", options=("noise=False",)))
    gradients = {"encoders": {"a": jnp.ones(3), "b": jnp.ones(2)}, "heads": jnp.ones(2)}
    factors = {"a": jnp.float32(0.25), "b": jnp.float32(1)}
    modulated = method.modulate(gradients, factors, (), KEY)
    np.testing.assert_array_equal(modulated["encoders"]["a"], 0.25 * np.ones(3))
    np.testing.assert_array_equal(modulated["encoders"]["b"], np.ones(2))
    np.testing.assert_array_equal(modulated["heads"], np.ones(2))


def test_noise_has_the_spread_of_each_gradient_before_modulation():
    method = methods.build(Config(method="ogm-ge"))
    small, large = np.random.default_rng(0).normal(size=(2, 100, 100)) * [[[0.1]], [[10.0]]] + 3
    encoders = {"a": {"x": jnp.float32(small), "y": jnp.float32(large)}, "b": jnp.ones(1)}
    factors = {"a": jnp.float32(0.5), "b": jnp.float32(1)}
    gradients = {"encoders": encoders, "heads": jnp.ones(2)}
    modulated = method.modulate(gradients, factors, (), KEY)
    noise = [
        np.asarray(modulated["encoders"]["a"][k]) - 0.5 * g for k, g in [("x", small), ("y", large)]
    ]
    for drawn, gradient in zip(noise, [small, large], strict=True):
        spread = np.std(gradient, ddof=1)
        assert np.std(drawn) == pytest.approx(spread, rel=0.03)  # 4 standard errors
        assert abs(np.mean(drawn)) < 0.04 * spread
    assert abs(np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1]) < 0.04
    np.testing.assert_array_equal(modulated["encoders"]["b"], 1)  # one entry has no spread
    np.testing.assert_array_equal(modulated["heads"], np.ones(2))
    again = method.modulate(gradients, factors, (), jax.random.key(1))
    assert not np.array_equal(again["encoders"]["a"]["x"], modulated["encoders"]["a"]["x"])


def test_small_samples_have_the_unbiased_spread():
    gradient = jnp.float32([1, 2, 4, 9])
    assert ogm_ge._spread(gradient) == pytest.approx(np.std([1, 2, 4, 9], ddof=1))


def test_published_strengths_depend_on_the_data_set(fused):
    params, run = fused(2)
    forward = run(params)
    scores = {name: float(score) for name, score in ogm_ge.scores(forward).items()}
    for dataset, options, alpha in [
        ("crema-d", (), 0.8),
        ("kinetics-sounds", (), 0.1),
        ("crema-d", ("alpha=0.3",), 0.3),
    ]:
        method = methods.build(Config(dataset=dataset, method="ogm-ge", options=options))
        losses, factors = method.objectives(forward, ())
        wanted = published_coefficients(list(scores.values()), alpha)
        np.testing.assert_allclose(list(factors.values()), wanted, rtol=1e-5)
        assert min(wanted) < 1
        assert losses == {"joint": forward.losses["joint"]}


@pytest.mark.parametrize("option", ["alpha=-1", "alpha=True", "alpha='x'", "noise=2"])
def test_bad_options_are_errors(option):
    with pytest.raises(UserError, match=option.partition("=")[0]):
        methods.build(Config(method="ogm-ge", options=(option,)))


def test_a_set_without_a_joint_head_is_an_error():
    with pytest.raises(UserError, match="method ogm-ge trains on the loss of all modalities"):
        methods.build(Config(method="ogm-ge")).trained_heads(("left", "right"))


def test_without_strength_and_noise_it_is_training_on_the_joint_loss(linear, digits):
    plain = program.build(linear(method="joint"), digits)
    neutral = program.build(linear(method="ogm-ge", options=("alpha=0", "noise=False")), digits)
    (wanted, _), (state, record) = map(first_epoch, (plain, neutral))
    jax.tree.map(np.testing.assert_array_equal, state.params, wanted.params)
    assert set(record["scores"]) == {"joint"}
