"""Prototypical modal rebalance."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import methods
from experiments.engine import program
from experiments.engine.loop import train
from experiments.errors import UserError
from experiments.methods import Pass, Problem
from experiments.methods.pmr import Prototypes, class_sums, coefficients, log_probabilities

CLASSES, FEATURES, BATCH = 3, 4, 7


def problem(names, heads=None):
    return Problem(
        heads=heads or ("joint", *names),
        encoders={name: ("joint", name) for name in names},
        outputs={"joint": CLASSES},
        features=dict.fromkeys(names, (FEATURES,)),
        steps_per_epoch=4,
        epochs=2,
    )


def passed(representations, labels, joint_loss=0.7):
    logits = {"joint": jnp.zeros((len(labels), CLASSES))}
    losses = {"joint": jnp.float32(joint_loss)}
    return Pass({"label": jnp.asarray(labels)}, representations, logits, losses, lambda r: logits)


def reference(representations, centroids, labels, alpha, mu, joint_loss=0.7):
    """Equations 7 to 13 of the paper for two modalities, sample by sample, in 64 bits."""
    s, pce, entropy = [], [], []
    for z, c in zip(representations, centroids, strict=True):
        true, all_entropies = [], []
        for row, label in zip(np.asarray(z, np.float64), labels, strict=True):
            e = [np.exp(-np.sqrt(sum((row - each) ** 2))) for each in np.asarray(c, np.float64)]
            p = [each / sum(e) for each in e]
            true.append(p[label])
            all_entropies.append(-sum(each * np.log(each) for each in p))
        s.append(sum(true))
        pce.append(-np.mean(np.log(true)))
        entropy.append(np.mean(all_entropies))
    rho = s[0] / s[1]
    if rho < 1:
        beta, gamma = min(max(1 / rho - 1, 0), 1), 0
    else:
        beta, gamma = 0, min(max(rho - 1, 0), 1)
    accelerated = joint_loss + alpha * beta * pce[0] + alpha * gamma * pce[1]
    return accelerated - mu * gamma * entropy[0] - mu * beta * entropy[1]


def example(rng, names=("gray", "color"), spread=(1.0, 0.4)):
    labels = rng.integers(CLASSES, size=BATCH)
    centroids = {name: rng.normal(size=(CLASSES, FEATURES)).astype(np.float32) for name in names}
    representations = {
        name: jnp.asarray(
            centroids[name][labels] + scale * rng.normal(size=(BATCH, FEATURES)), jnp.float32
        )
        for name, scale in zip(names, spread, strict=True)
    }
    return labels, centroids, representations


@pytest.mark.parametrize("spread", [(1.0, 0.4), (0.4, 1.0), (30.0, 0.1), (1.0, 1.0)])
@pytest.mark.parametrize("early", [0.0, 1.0])
def test_the_loss_is_the_papers_at_two_modalities(spread, early):
    labels, centroids, representations = example(np.random.default_rng(3), spread=spread)
    method = methods.METHODS["pmr"](None, alpha=2.0, mu=0.3)
    state = Prototypes(centroids, jnp.float32(early))
    values, _ = method.objectives(passed(representations, labels), state)
    wanted = reference(representations.values(), centroids.values(), labels, 2.0, 0.3 * early)
    assert float(values["rebalanced"]) == pytest.approx(wanted, rel=1e-5)
    assert wanted != pytest.approx(0.7, rel=1e-3)


def test_gradients_are_those_of_fixed_coefficients():
    labels, centroids, representations = example(np.random.default_rng(3))
    method = methods.METHODS["pmr"](None, alpha=1.0, mu=0.3)
    state = Prototypes(centroids, jnp.float32(1))

    def loss(representations):
        return method.objectives(passed(representations, labels), state)[0]["rebalanced"]

    log_p = {name: log_probabilities(z, centroids[name]) for name, z in representations.items()}
    rows = np.arange(BATCH)
    s = {name: float(jnp.exp(each)[rows, labels].sum()) for name, each in log_p.items()}
    beta = s["color"] / s["gray"] - 1
    assert 0 < beta < 1

    def fixed(representations):
        gray = log_probabilities(representations["gray"], centroids["gray"])
        color = log_probabilities(representations["color"], centroids["color"])
        held_back = -(jnp.exp(color) * color).sum(1).mean()
        return -beta * gray[rows, labels].mean() - 0.3 * beta * held_back

    found, wanted = jax.grad(loss)(representations), jax.grad(fixed)(representations)
    for name in representations:
        np.testing.assert_allclose(found[name], wanted[name], rtol=1e-4, atol=1e-6)


def test_coefficients_of_three_modalities():
    scores = {name: jnp.float32(s) for name, s in zip("abc", (4.0, 3.0, 1.0), strict=True)}
    speed_up, hold_back = coefficients(scores)
    np.testing.assert_allclose(list(speed_up.values()), [0, 1 / 3, 1], rtol=1e-6)
    np.testing.assert_array_equal(list(hold_back.values()), [1, 0, 0])


def test_coefficients_of_scores_that_underflow_are_finite():
    speed_up, hold_back = coefficients({"a": jnp.float32(0), "b": jnp.float32(2)})
    assert [float(x) for x in (*speed_up.values(), *hold_back.values())] == [1, 0, 0, 1]
    speed_up, hold_back = coefficients({"a": jnp.float32(0), "b": jnp.float32(0)})
    assert [float(x) for x in (*speed_up.values(), *hold_back.values())] == [0, 0, 0, 0]


def test_a_representation_on_its_prototype_has_a_finite_gradient():
    centroids = jnp.eye(CLASSES)
    gradient = jax.grad(lambda z: log_probabilities(z, centroids)[0, 1])(centroids[:1])
    assert np.all(np.isfinite(gradient))
    np.testing.assert_allclose(np.exp(log_probabilities(centroids, centroids)).sum(1), 1, rtol=1e-6)


def test_class_sums_count_only_what_counts():
    rng = np.random.default_rng(0)
    labels, counted = np.array([0, 2, 2, 0, 1]), np.array([True, True, True, False, False])
    z = rng.normal(size=(5, 2, 2)).astype(np.float32)
    sums, counts = class_sums(passed({"gray": jnp.asarray(z)}, labels), jnp.asarray(counted))
    np.testing.assert_array_equal(counts, [1, 0, 2])
    flat = z.reshape(5, 4).astype(np.float64)
    wanted = np.stack([flat[0], np.zeros(4), flat[1] + flat[2]])
    np.testing.assert_allclose(sums["gray"], wanted, rtol=1e-6)


def test_prototypes_move_with_momentum_but_for_the_first_epoch():
    method = methods.METHODS["pmr"](None, momentum=0.25, entropy_epochs=2)
    state = method.init(problem(("gray",)))
    counts = jnp.array([2.0, 1.0, 0.0])
    early = []
    for epoch, value in enumerate((8.0, 4.0, 4.0)):
        sums = {"train": ({"gray": jnp.full((CLASSES, FEATURES), value)}, counts)}
        state, _ = method.before_epoch(state, (), sums, jnp.int32(epoch))
        early.append(float(state.early))
        if epoch == 0:
            np.testing.assert_array_equal(state.centroids["gray"][:2, 0], [4, 8])
        if epoch == 1:
            np.testing.assert_array_equal(state.centroids["gray"][:2, 0], [2.5, 5])
    assert early == [1, 1, 0]


def test_prototypes_are_the_mean_representations_of_the_training_set(linear, digits):
    compiled = program.build(linear(method="pmr"), digits)
    state = compiled.initial_state(0)
    encoder = jax.device_get(state.params["encoders"]["gray"])
    state = compiled.before_epoch(state)
    train_set = digits["train"]
    means = train_set["gray"].astype(np.float64).mean(axis=(1, 2)) / 255
    z = np.tanh(means @ np.asarray(encoder["kernel"], np.float64) + encoder["bias"])
    wanted = [z[train_set["label"] == k].mean(axis=0) for k in range(10)]
    np.testing.assert_allclose(state.method.centroids["gray"], wanted, rtol=1e-4, atol=1e-6)


def test_without_weights_it_is_joint_training(linear, digits):
    ends = []
    for fields in ({"method": "pmr", "options": ("alpha=0", "mu=0")}, {"method": "joint"}):
        compiled = program.build(linear(**fields), digits)
        end = train(compiled, compiled.initial_state(0), 2, lambda state, record: None)
        ends.append(jax.device_get(end.params))
    for ours, theirs in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("option", ["alpha=-1", "mu=1e999", "momentum=1", "entropy_epochs=None"])
def test_hyper_parameters_out_of_range_are_refused(linear, option):
    name = option.split("=")[0]
    with pytest.raises(UserError, match=f"option {name} must be at least 0 and"):
        methods.build(linear(method="pmr", options=(option,)))


def test_a_set_of_tasks_is_refused():
    method = methods.METHODS["pmr"](None)
    for refuse in (method.init, lambda problem: method.trained_heads(problem.heads)):
        with pytest.raises(UserError, match="method pmr is for several modalities"):
            refuse(problem((), ("left", "right")))
