"""What a jitted training step needs of every model: merging, batch statistics, dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit
from flax import nnx

from experiments.models.lenet import lenet
from experiments.models.mbt import BottleneckTransformer
from experiments.models.mlp import mlp
from experiments.models.segnet import SegNet
from experiments.models.sequence_transformer import sequence_transformer
from experiments.models.vit import Size


def tiny_mbt(shapes, outputs, *, rngs):
    size = Size(width=4, heads=1, mlp=4, patch=4)
    return BottleneckTransformer(
        shapes, outputs, size=size, single_layers=1, fusion_layers=1, rngs=rngs
    )


def narrow_segnet(shapes, outputs, *, rngs):
    return SegNet(shapes, outputs, width=1, rngs=rngs)


MODELS = {
    "lenet": (lenet, {"image": (16, 20, 1)}, {"right": 3, "left": 3}),
    "mbt": (
        tiny_mbt,
        {"video": (2, 4, 8, 3), "audio": (8, 4, 1)},
        {"joint": 3, "audio": 3, "video": 3},
    ),
    "segnet": (narrow_segnet, {"image": (32, 32, 3)}, {"segmentation": 3, "depth": 1}),
    "sequence-transformer": (
        sequence_transformer,
        {"text": (4, 3), "audio": (3, 2)},
        {"joint": 3, "text": 3, "audio": 3},
    ),
    "mlp": (mlp, {"b": (3,), "a": (2,)}, {"joint": 3, "a": 3, "b": 3}),
}
WITH_BATCH_STATISTICS = {"segnet"}
WITH_DROPOUT = {"lenet"}


def filled(make):
    """The module that make returns, with random values in place of its initial ones."""
    model = nnx.eval_shape(make)
    rng = np.random.default_rng(1)

    def value(path, variable):
        normal = 0.3 * rng.normal(size=variable.shape)
        values = np.abs(normal) if path[-1] == "var" else normal
        return variable.replace(jnp.asarray(values, variable.dtype))

    nnx.update(model, nnx.map_state(value, nnx.state(model)))
    return model


@pytest.mark.parametrize("name", MODELS)
def test_a_jitted_training_step(name):
    make, shapes, outputs = MODELS[name]
    model = filled(lambda: make(shapes, outputs, rngs=nnx.Rngs(0)))
    rng = np.random.default_rng(0)
    inputs = {
        modality: rng.normal(size=(4, *shape)).astype(np.float32)
        for modality, shape in shapes.items()
    }
    model.train()
    training, params, rest = nnx.split(model, nnx.Param, ...)
    params, rest = nnx.to_pure_dict(params), nnx.to_pure_dict(rest)
    model.eval()
    evaluation = nnx.graphdef(model)

    @quick_jit
    def step(params, rest, key):
        def loss(params):
            merged = nnx.merge(training, params, rest)
            logits = merged(inputs, rngs=nnx.Rngs(dropout=key))
            total = sum(jnp.mean(jnp.square(x - 1)) for x in logits.values())
            return total, (logits, nnx.to_pure_dict(nnx.state(merged, nnx.Not(nnx.Param))))

        return jax.grad(loss, has_aux=True)(params)

    @quick_jit
    def predict(params, rest):
        return nnx.merge(evaluation, params, rest)(inputs)

    grads, (logits, new_rest) = step(params, rest, jax.random.key(0))
    _, (again, _) = step(params, rest, jax.random.key(0))
    _, (other, _) = step(params, rest, jax.random.key(1))

    assert {head: x.shape[-1] for head, x in logits.items()} == outputs
    assert jax.tree.structure(grads) == jax.tree.structure(params)
    assert set(grads["heads"]) == set(outputs)
    assert set(grads["encoders"]) in ({"shared"}, set(shapes))
    for encoder in grads["encoders"].values():
        assert any(np.any(x) for x in jax.tree.leaves(encoder))
    assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(grads))

    assert bool(jax.tree.leaves(rest)) == (name in WITH_BATCH_STATISTICS)
    assert jax.tree.structure(new_rest) == jax.tree.structure(rest)
    for before, after in zip(jax.tree.leaves(rest), jax.tree.leaves(new_rest), strict=True):
        assert np.any(before != after)

    for head in outputs:
        np.testing.assert_array_equal(logits[head], again[head])
        assert np.any(logits[head] != other[head]) == (name in WITH_DROPOUT)
        np.testing.assert_array_equal(predict(params, rest)[head], predict(params, rest)[head])
        trained = predict(params, new_rest)[head]
        changed = np.any(trained != predict(params, rest)[head])
        assert changed == (name in WITH_BATCH_STATISTICS)
