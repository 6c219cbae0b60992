"""Every modality by itself."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from experiments import methods, models
from experiments.data import DATASETS
from experiments.engine import program
from experiments.engine.loop import train
from experiments.errors import UserError

DECAY, RATE, MOMENTUM = 1e-4, 0.01, 0.9


def alone(network, name, params, batches, shape, num_classes):
    """A network of one modality, trained by a loop that knows of no other."""
    model = network({name: shape}, {name: num_classes}, rngs=nnx.Rngs(0))
    graph = nnx.graphdef(model)
    params = {kind: {name: params[kind][name]} for kind in ("encoders", "heads")}
    optimizer = optax.chain(optax.add_decayed_weights(DECAY), optax.sgd(RATE, MOMENTUM))
    state = optimizer.init(params)

    @jax.jit
    def step(params, state, images, labels):
        def loss(params):
            logits = nnx.merge(graph, params)({name: images})[name]
            return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(len(labels)), labels])

        updates, state = optimizer.update(jax.grad(loss)(params), state, params)
        return optax.apply_updates(params, updates), state

    for batch in batches:
        images = DATASETS["cg-digits"].inputs(batch)[name]
        params, state = step(params, state, images, batch["label"])
    return params


def test_all_at_once_is_each_alone(linear, digits):
    config = linear(method="unimodal")
    compiled = program.build(config, digits)
    start = jax.device_get(compiled.initial_state(0))
    batches = list(compiled.feed.training(start.key, range(8)))
    end = train(compiled, compiled.initial_state(0), 2, lambda state, record: None)
    network = models.MODELS["linear"].make
    for name in ("gray", "color"):
        shape = compiled.feed.shapes[name]
        wanted = alone(network, name, start.params, batches, shape, 10)
        for kind, params in wanted.items():
            ours, before = end.params[kind][name], start.params[kind][name]
            for leaf in ("kernel", "bias"):
                expected = params[name][leaf]
                np.testing.assert_allclose(ours[leaf], expected, rtol=1e-4, atol=1e-6)
                assert np.abs(np.asarray(expected) - before[leaf]).max() > 1e-3


def test_the_joint_head_only_decays(linear, digits):
    compiled = program.build(linear(method="unimodal"), digits)
    start = jax.device_get(compiled.initial_state(0)).params["heads"]["joint"]["kernel"]
    end = train(compiled, compiled.initial_state(0), 1, lambda state, record: None)
    kernel, velocity = np.array(start, np.float64), 0.0
    for _ in range(4):
        velocity = MOMENTUM * velocity + DECAY * kernel
        kernel = kernel - RATE * velocity
    found = np.asarray(end.params["heads"]["joint"]["kernel"])
    np.testing.assert_allclose(found, kernel, rtol=1e-6)
    assert not np.array_equal(found, start)


def test_the_modalities_alone_are_scored(linear, digits):
    compiled = program.build(linear(method="unimodal"), digits)
    assert set(compiled.tasks) == {"gray", "color"}


def test_a_set_of_tasks_is_refused(linear):
    method = methods.build(linear(method="unimodal"))
    with pytest.raises(UserError, match="method unimodal is for several modalities"):
        method.trained_heads(("left", "right"))


def test_a_model_whose_modalities_exchange_is_refused(linear):
    with pytest.raises(UserError, match="in model mbt-small they exchange"):
        methods.build(linear(method="unimodal", model="mbt-small"))
