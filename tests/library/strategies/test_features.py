"""The strategy `features`: exact where the weights are given, and what its Gramian is."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from integrating import step_of, updates_of_the_aggregator

import mmpareto_jax as mmp


def features_step(problem, weighting, encode=None, losses=None):
    model = mmp.Features(encode or problem.encode, losses or problem.losses_from_features)
    integrator = mmp.integrate(model, problem.encoders, weighting, strategy="features")
    step = step_of(integrator)
    return step(problem.params, integrator.init(problem.params), problem.batch)


def test_with_constant_weights_features_are_exact(late_fusion):
    weighting = mmp.weightings.constant([0.3, 1.7])
    (expected,), _ = updates_of_the_aggregator(late_fusion, weighting, 1)
    values, grads, _ = features_step(late_fusion, weighting)
    chex.assert_trees_all_close(grads, expected, rtol=1e-4, atol=1e-6)
    chex.assert_trees_all_close(
        values, late_fusion.losses(late_fusion.params, late_fusion.batch), rtol=1e-6
    )


def test_the_gramian_is_that_of_the_gradients_of_the_features(late_fusion):
    _, _, state = features_step(late_fusion, mmp.weightings.min_norm())
    features = late_fusion.encode(late_fusion.params, late_fusion.batch)
    for name in ("audio", "visual"):
        rows = []
        for objective in ("joint", name):

            def loss(own, name=name, objective=objective):
                return late_fusion.losses_from_features(
                    late_fusion.params, features | {name: own}, late_fusion.batch
                )[objective]

            rows.append(np.asarray(jax.grad(loss)(features[name]), float).ravel())
        expected = np.array(rows) @ np.array(rows).T
        found = mmp.diagnostics(state)[name]
        np.testing.assert_allclose(found.gramian, expected, rtol=1e-4)
        point = mmp.min_norm_weights(jnp.asarray(expected, jnp.float32))
        np.testing.assert_allclose(found.weights, 2 * point, rtol=1e-3)


def test_parameters_before_and_beside_the_features_get_their_gradients(late_fusion):
    """A plain parameter inside `encode`, and an encoder's parameter that a loss uses directly."""

    def scaled_encode(params, batch):
        encoded = late_fusion.encode(params, batch)
        encoded = {k: params["temperature"] * v for k, v in encoded.items()}
        return encoded | {"label": batch["label"]}

    def losses(params, features, batch):
        labeled = batch | {"label": features["label"]}
        values = late_fusion.losses_from_features(params, features, labeled)
        return values | {"audio": values["audio"] + jnp.sum(params["audio"]["w"] ** 2)}

    def together(params, batch):
        return losses(params, scaled_encode(params, batch), batch)

    weighting = mmp.weightings.constant([0.3, 1.7])
    (expected,), _ = updates_of_the_aggregator(late_fusion, weighting, 1, together)
    _, grads, _ = features_step(late_fusion, weighting, scaled_encode, losses)
    chex.assert_trees_all_close(grads, expected, rtol=1e-4, atol=1e-6)


def test_features_of_every_encoder_are_asked_for(late_fusion):
    def half(params, batch):
        return {"audio": late_fusion.encode(params, batch)["audio"]}

    with pytest.raises(ValueError, match=r"no features for encoder 'visual'.* audio"):
        features_step(late_fusion, mmp.weightings.uniform(), half)
