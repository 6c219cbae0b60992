import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from experiments.errors import UserError
from experiments.models.cg_cnn import ConvEncoder, cg_cnn
from experiments.models.fusion import FUSIONS
from experiments.models.late_fusion import LateFusion
from experiments.models.mlp import mlp
from experiments.models.sequence_transformer import sequence_transformer

FEATURES = 5
CLASSES = 3
MODALITIES = ("color", "gray", "text")


def concatenation(params, x):
    return np.concatenate(x, axis=1) @ params["kernel"] + params["bias"]


def sum_(params, x):
    return sum(
        x[m] @ params["maps"][m]["kernel"] + params["maps"][m]["bias"] for m in range(len(x))
    )


def gated(params, x):
    z = x[0]
    for m in range(1, len(x)):
        gate, value = params["gates"][m - 1], params["values"][m - 1]
        opening = 1 / (1 + np.exp(-(z @ gate["kernel"] + gate["bias"])))
        z = opening * (x[m] @ value["kernel"] + value["bias"])
    return z @ params["output"]["kernel"] + params["output"]["bias"]


def film(params, x):
    z = x[0]
    for m in range(1, len(x)):
        kernel, bias = (params["modulations"][m - 1][key] for key in ("kernel", "bias"))
        scale = z @ kernel[:, :FEATURES] + bias[:FEATURES]
        shift = z @ kernel[:, FEATURES:] + bias[FEATURES:]
        z = scale * x[m] + shift
    return z @ params["output"]["kernel"] + params["output"]["bias"]


FORMULAS = {"concatenation": concatenation, "sum": sum_, "gated": gated, "film": film}


def late_fusion(modalities=MODALITIES, fusion="concatenation", seed=0):
    """A model of linear encoders, of as many inputs as their name has letters."""
    rngs = nnx.Rngs(seed)
    encoders = {name: nnx.Linear(len(name), FEATURES, rngs=rngs) for name in modalities}
    outputs = dict.fromkeys(["joint", *modalities], CLASSES)
    return LateFusion(encoders, FEATURES, outputs, fusion=fusion, rngs=rngs)


def inputs(modalities=MODALITIES):
    return {
        name: jax.random.normal(jax.random.key(len(name)), (4, len(name))) for name in modalities
    }


def randomized(module):
    """The module with all its parameters random, biases too."""
    graph, params = nnx.split(module)
    leaves, treedef = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    leaves = [jax.random.normal(k, leaf.shape) for k, leaf in zip(keys, leaves, strict=True)]
    return nnx.merge(graph, jax.tree.unflatten(treedef, leaves))


def test_every_fusion_has_a_formula():
    assert FORMULAS.keys() == FUSIONS.keys()


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize("modalities", [1, 2, 3])
def test_fusion_follows_its_formula(fusion, modalities):
    module = randomized(FUSIONS[fusion](modalities, FEATURES, CLASSES, rngs=nnx.Rngs(0)))
    params = jax.tree.map(np.float64, nnx.to_pure_dict(nnx.state(module)))
    random = np.random.default_rng(0)
    x = [random.normal(size=(4, FEATURES)).astype(np.float32) for _ in range(modalities)]
    expected = FORMULAS[fusion](params, [each.astype(np.float64) for each in x])
    assert module(x).shape == (4, CLASSES)
    np.testing.assert_allclose(module(x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_model_is_the_same_function_after_it_is_taken_apart(fusion):
    modalities = ("text", "gray", "color")  # not the order in which flax puts it together
    model = late_fusion(modalities, fusion)
    graph, state = nnx.split(model)
    merged = nnx.merge(graph, nnx.to_pure_dict(state))
    for name, logits in model(inputs()).items():
        np.testing.assert_array_equal(merged(inputs())[name], logits)
    assert list(merged(inputs())) == list(model(inputs())) == ["joint", *modalities]


@pytest.mark.parametrize("fusion", FUSIONS)
def test_modalities_are_fused_in_alphabetical_order(fusion):
    model = late_fusion(("text", "gray", "color"), fusion)
    representations = model.encode(inputs())
    expected = model.heads["joint"]([representations[m] for m in ("color", "gray", "text")])
    np.testing.assert_array_equal(model.classify(representations)["joint"], expected)


@pytest.mark.parametrize("fusion", FUSIONS)
def test_joint_loss_reaches_every_encoder_and_the_fusion_inside_jit(fusion):
    graph, params = nnx.split(late_fusion(fusion=fusion), nnx.Param)

    @jax.jit
    @jax.grad
    def gradient(params):
        return jnp.sum(nnx.merge(graph, params)(inputs())["joint"] ** 2)

    gradients = gradient(nnx.to_pure_dict(params))
    unimodal = [gradients["heads"].pop(name) for name in MODALITIES]
    assert all(jnp.any(leaf != 0) for leaf in jax.tree.leaves(gradients))
    assert not any(jnp.any(leaf != 0) for leaf in jax.tree.leaves(unimodal))


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize(
    ("make", "shapes"),
    [
        pytest.param(
            mlp,
            {"fou": (76,), "fac": (216,), "kar": (64,), "pix": (240,), "zer": (47,), "mor": (6,)},
            id="six views",
        ),
        pytest.param(
            sequence_transformer,
            {"text": (50, 300), "audio": (20, 74), "video": (50, 35)},
            id="three modalities of different lengths",
        ),
    ],
)
def test_any_fusion_of_more_than_two(make, shapes, fusion):
    outputs = dict.fromkeys(["joint", *shapes], CLASSES)

    def predict(samples):
        return make(shapes, outputs, fusion=fusion, rngs=nnx.Rngs(0))(samples)

    samples = {name: np.zeros((2, *shape), np.float32) for name, shape in shapes.items()}
    found = {name: x.shape for name, x in jax.eval_shape(predict, samples).items()}
    assert found == dict.fromkeys(outputs, (2, CLASSES))


def test_unimodal_heads_are_linear_in_one_modality():
    model = late_fusion(fusion="film")
    representations = model.encode(inputs())
    logits = model.classify({**representations, "gray": 2 * representations["gray"]})
    before = model.classify(representations)
    np.testing.assert_allclose(logits["gray"], 2 * before["gray"], rtol=1e-5)
    np.testing.assert_array_equal(logits["text"], before["text"])


def test_concatenation_keeps_the_paths_and_initial_values_of_earlier_runs():
    model = cg_cnn(
        {"gray": (28, 28, 1), "color": (28, 28, 3)},
        {"joint": 10, "gray": 10, "color": 10},
        rngs=nnx.Rngs(0),
    )
    rngs = nnx.Rngs(0)
    expected = nnx.Dict(
        encoders=nnx.Dict(
            gray=ConvEncoder(1, 512, rngs=rngs), color=ConvEncoder(3, 512, rngs=rngs)
        ),
        heads=nnx.Dict(
            joint=nnx.Linear(1024, 10, rngs=rngs),
            gray=nnx.Linear(512, 10, rngs=rngs),
            color=nnx.Linear(512, 10, rngs=rngs),
        ),
    )
    ours, theirs = (nnx.to_pure_dict(nnx.state(each)) for each in (model, expected))
    assert jax.tree.structure(ours) == jax.tree.structure(theirs)
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_other_heads_are_refused():
    encoders = {"gray": nnx.Linear(2, FEATURES, rngs=nnx.Rngs(0))}
    with pytest.raises(UserError, match="has the heads joint, gray, not left, right"):
        LateFusion(encoders, FEATURES, {"left": 10, "right": 10}, rngs=nnx.Rngs(0))


def test_unknown_fusion_is_refused():
    with pytest.raises(
        UserError, match="unknown fusion 'product': choose one of concatenation, film"
    ):
        late_fusion(fusion="product")
