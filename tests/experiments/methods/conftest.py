import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.methods import Pass
from experiments.models.late_fusion import LateFusion
from experiments.tasks import Classification

FEATURES, CLASSES, SAMPLES = 4, 3, 8


@pytest.fixture
def fused():
    """From the numbers of modalities and a fusion to a model, its parameters and its passes."""

    def make(modalities, fusion="concatenation"):
        names = [f"m{index}" for index in range(modalities)]
        rngs = nnx.Rngs(3)
        encoders = {name: nnx.Linear(2, FEATURES, rngs=rngs) for name in names}
        outputs = dict.fromkeys(["joint", *names], CLASSES)
        model = LateFusion(encoders, FEATURES, outputs, fusion=fusion, rngs=rngs)
        params = jax.tree.map(  # biases begin at zero, and would hide what becomes of them
            lambda x: x + 0.3 * jax.random.normal(jax.random.key(x.size), x.shape),
            nnx.to_pure_dict(nnx.state(model, nnx.Param)),
        )
        graph = nnx.graphdef(model)
        draw = np.random.default_rng(5)
        inputs = {name: draw.normal(size=(SAMPLES, 2)).astype(np.float32) for name in names}
        batch = {**inputs, "label": jnp.asarray(draw.integers(CLASSES, size=SAMPLES))}

        def run(params):
            model = nnx.merge(graph, params)
            representations = model.encode(inputs)
            predictions = model.classify(representations)
            task = Classification(CLASSES)
            losses = {head: task.loss(x, batch["label"]) for head, x in predictions.items()}
            return Pass(batch, representations, predictions, losses, model.classify)

        return params, run

    return make
