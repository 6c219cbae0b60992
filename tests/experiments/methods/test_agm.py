"""AGM against float64 NumPy and brute force."""

import importlib
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from training import first_epoch

from experiments import methods
from experiments.config import Config
from experiments.engine import program
from experiments.errors import UserError
from experiments.methods import Problem

# In its package the name is that of the factory.
agm = importlib.import_module("experiments.methods.agm")


def zeroed(forward, present):
    """Joint logits, float64; nothing from no modality."""
    if not present:
        return 0.0
    given = {k: x if k in present else 0 * x for k, x in forward.representations.items()}
    return np.float64(forward.classify(given)["joint"])


def average_over_orders(forward, modality):
    """The Shapley value by definition: the mean gain over all orders of arrival."""
    gains = []
    for order in itertools.permutations(forward.representations):
        before = set(order[: order.index(modality)])
        gains.append(zeroed(forward, before | {modality}) - zeroed(forward, before))
    return np.mean(gains, axis=0)


def published_coefficients(scores, means, alpha):
    def ratio(values, index):
        others = [value for other, value in enumerate(values) if other != index]
        return np.exp(sum(value - values[index] for value in others) / len(others))

    leads = [ratio(means, i) - ratio(scores, i) for i in range(len(scores))]
    return [np.exp(alpha * min(lead, 10)) for lead in leads]


@pytest.mark.parametrize("fusion", ["concatenation", "gated", "film"])
@pytest.mark.parametrize("modalities", [2, 3, 4])
def test_responses_are_shapley_values_and_add_up_to_the_joint_logits(fused, modalities, fusion):
    params, run = fused(modalities, fusion)
    forward = run(params)
    responses = agm.responses(forward)
    for name, response in responses.items():
        wanted = average_over_orders(forward, name)
        np.testing.assert_allclose(response, wanted, rtol=1e-4, atol=1e-5)
    total = sum(np.float64(each) for each in responses.values())
    np.testing.assert_allclose(total, forward.outputs["joint"], rtol=1e-4, atol=1e-5)


def test_responses_of_two_are_as_published(fused):
    params, run = fused(2, "gated")
    forward = run(params)
    both, first, second = (zeroed(forward, each) for each in [{"m0", "m1"}, {"m0"}, {"m1"}])
    responses = agm.responses(forward)
    np.testing.assert_allclose(responses["m0"], 0.5 * (both - second + first), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(responses["m1"], 0.5 * (both - first + second), rtol=1e-4, atol=1e-6)


def test_cross_entropy_is_bounded():
    logits = np.array([[2.0, 1.0, 0.0], [0.0, 50.0, 0.0]])
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    wanted = -np.mean(np.log([chances[0, 1], 1e-8]))
    score = agm.cross_entropy(jnp.float32(logits), jnp.array([1, 0]))
    assert float(score) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("modalities", [2, 3, 4])
def test_coefficients_are_the_formula(modalities):
    scores, means = np.random.default_rng(modalities).uniform(0.2, 2, size=(2, modalities))
    named = [{str(i): jnp.float32(x) for i, x in enumerate(v)} for v in (scores, means)]
    coefficients = agm.coefficients(*named, 1.5)
    wanted = published_coefficients(scores, means, 1.5)
    np.testing.assert_allclose(list(coefficients.values()), wanted, rtol=1e-4)


def test_a_far_lead_is_cut_off():
    scores, means = {"a": 9.0, "b": 0.0}, {"a": 0.0, "b": 9.0}
    scores, means = jax.tree.map(jnp.float32, (scores, means))
    assert float(agm.coefficients(scores, means, 1.0)["a"]) == pytest.approx(np.exp(10), rel=1e-5)


def test_balanced_responses_modulate_by_one():
    same = {name: jnp.float32(0.7) for name in "abc"}
    before = {name: jnp.float32(0) for name in "abc"}
    assert all(float(kappa) == 1 for kappa in agm.coefficients(same, before, 2.5).values())


@pytest.mark.parametrize("modalities", [2, 3])
def test_an_encoder_is_modulated_by_its_coefficient_in_a_concatenation(fused, modalities):
    params, run = fused(modalities)
    method = methods.build(Config(method="agm", options=("alpha=0.8",)))
    names = [f"m{index}" for index in range(modalities)]
    means = {name: jnp.float32(0.4 * index) for index, name in enumerate(names)}
    state = agm.Scores(jnp.float32(3), means)

    def loss(params):
        losses, scores = method.objectives(run(params), state)
        return losses["joint"], scores

    (value, scores), gradients = jax.value_and_grad(loss, has_aux=True)(params)
    plain = jax.grad(lambda params: run(params).losses["joint"])(params)
    assert float(value) == pytest.approx(float(run(params).losses["joint"]), rel=1e-6)
    kappa = published_coefficients(
        [float(scores[name]) for name in names], [float(means[name]) for name in names], 0.8
    )
    assert max(abs(np.log(kappa))) > 0.1
    head = zip(
        *(np.split(g["heads"]["joint"]["kernel"], modalities) for g in (gradients, plain)),
        strict=True,
    )
    for name, factor, (ours, theirs) in zip(names, kappa, head, strict=True):
        for tensor in ("kernel", "bias"):
            ours_, theirs_ = (g["encoders"][name][tensor] for g in (gradients, plain))
            np.testing.assert_allclose(ours_, factor * theirs_, rtol=1e-3, atol=1e-6)
        np.testing.assert_allclose(ours, factor * theirs, rtol=1e-3, atol=1e-6)


def test_the_gradient_is_that_through_each_response_times_its_coefficient(fused):
    params, run = fused(3, "gated")
    method = methods.build(Config(method="agm", options=("alpha=0.8",)))
    state = agm.Scores(jnp.float32(1), {"m0": 0.1, "m1": 0.9, "m2": 0.4})
    gradients = jax.grad(lambda params: method.objectives(run(params), state)[0]["joint"])(params)

    _, scores = method.objectives(run(params), state)
    kappa = published_coefficients([float(s) for s in scores.values()], [0.1, 0.9, 0.4], 0.8)
    logits = np.float64(run(params).outputs["joint"])
    chances = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    error = (chances - np.eye(3)[run(params).batch["label"]]) / len(logits)
    _, pull = jax.vjp(lambda params: agm.responses(run(params)), params)
    wanted = pull({name: jnp.float32(k * error) for name, k in zip(scores, kappa, strict=True)})[0]
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-6), gradients, wanted
    )


def test_the_state_holds_the_means_of_the_scores():
    problem = Problem(("joint", "a", "b"), {"a": (), "b": ()}, {}, {}, 1, 1)
    state = agm.init(problem)
    scores = np.random.default_rng(1).uniform(size=(5, 2))
    for a, b in scores:
        state = agm.after_step(state, {"a": jnp.float32(a), "b": jnp.float32(b)}, (), ())
    assert float(state.steps) == 5
    np.testing.assert_allclose([state.means["a"], state.means["b"]], scores.mean(0), rtol=1e-5)


def test_too_many_modalities_are_an_error():
    problem = Problem(("joint",), {str(n): () for n in range(9)}, {}, {}, 1, 1)
    with pytest.raises(UserError, match="9 are too many"):
        methods.build(Config(method="agm")).init(problem)


def test_a_set_without_a_joint_head_is_an_error():
    with pytest.raises(UserError, match="method agm trains on the loss of all modalities"):
        methods.build(Config(method="agm")).trained_heads(("left", "right"))


@pytest.mark.parametrize(
    ("dataset", "options", "alpha"),
    [("crema-d", (), 1.5), ("cg-digits", (), 1.0), ("crema-d", ("alpha=0.25",), 0.25)],
)
def test_published_strengths_depend_on_the_data_set(fused, monkeypatch, dataset, options, alpha):
    given = []
    coefficients = agm.coefficients
    monkeypatch.setattr(
        agm, "coefficients", lambda s, m, alpha: given.append(alpha) or coefficients(s, m, alpha)
    )
    params, run = fused(2)
    state = agm.Scores(jnp.float32(0), {"m0": jnp.float32(0), "m1": jnp.float32(0)})
    method = methods.build(Config(dataset=dataset, method="agm", options=options))
    method.objectives(run(params), state)
    assert given == [alpha]


def test_without_strength_it_is_training_on_the_joint_loss(linear, digits):
    plain = program.build(linear(method="joint"), digits)
    neutral = program.build(linear(method="agm", options=("alpha=0",)), digits)
    (wanted, _), (state, record) = map(first_epoch, (plain, neutral))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        state.params,
        wanted.params,
    )
    assert set(record["scores"]) == {"joint"}
