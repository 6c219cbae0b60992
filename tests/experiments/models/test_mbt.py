"""The bottleneck transformer: its streams, what they exchange, and pretrained weights."""

from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import quick_jit
from flax import nnx
from safetensors.numpy import save_file
from scipy.special import erf

from experiments.errors import UserError
from experiments.models.mbt import BottleneckTransformer, exchange, mbt, mbt_small
from experiments.models.pretrained.vit import load_vit
from experiments.models.vit import Size, TransformerLayer, VisionTransformer

TINY = Size(width=8, heads=2, mlp=12, patch=4)
SHAPES = {"video": (2, 8, 9, 3), "audio": (10, 4, 1)}
OUTPUTS = {"joint": 5, "audio": 5, "video": 5}
GOLDEN = Path(__file__).parents[2] / "golden" / "vit.npz"


def filled(make):
    """The module that make returns, with random parameters none of which is zero or one."""
    graph, state = nnx.split(nnx.eval_shape(make))
    rng = np.random.default_rng(1)
    values = [0.5 * rng.normal(size=x.shape).astype(np.float32) for x in jax.tree.leaves(state)]
    return nnx.merge(graph, jax.tree.unflatten(jax.tree.structure(state), map(jnp.asarray, values)))


def tiny(shapes=SHAPES, outputs=OUTPUTS, *, fusion_layers=2):
    return filled(
        lambda: BottleneckTransformer(
            shapes,
            outputs,
            size=TINY,
            single_layers=1,
            fusion_layers=fusion_layers,
            rngs=nnx.Rngs(0),
        )
    )


def samples(shapes=SHAPES, batch=2):
    rng = np.random.default_rng(0)
    return {
        name: rng.normal(size=(batch, *shape)).astype(np.float32) for name, shape in shapes.items()
    }


def numpy_layer(layer, tokens):
    """The equations of a pre-norm layer in float64, one sample and one head at a time."""

    def parameter(variable):
        return np.asarray(variable[...], np.float64)

    def normalized(x, norm):
        centered = x - x.mean(-1, keepdims=True)
        scaled = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + 1e-6)
        return scaled * parameter(norm.scale) + parameter(norm.bias)

    def dense(x, linear):
        return x @ parameter(linear.kernel) + parameter(linear.bias)

    def attention(x, attend):
        result = parameter(attend.out.bias)
        for head in range(attend.num_heads):
            query, key, value = (
                x @ parameter(each.kernel)[:, head] + parameter(each.bias)[head]
                for each in (attend.query, attend.key, attend.value)
            )
            weights = np.exp(query @ key.T / np.sqrt(query.shape[-1]))
            weights /= weights.sum(-1, keepdims=True)
            result = result + weights @ value @ parameter(attend.out.kernel)[head]
        return result

    results = []
    for x in np.asarray(tokens, np.float64):
        x = x + attention(normalized(x, layer.norm1), layer.attention)
        hidden = dense(normalized(x, layer.norm2), layer.dense1)
        hidden = hidden * (1 + erf(hidden / np.sqrt(2))) / 2
        results.append(x + dense(hidden, layer.dense2))
    return np.stack(results)


def parameters_of_stream(tokens, channels, size, layers):
    width, mlp, patch = size.width, size.mlp, size.patch
    norm = 2 * width
    attention = 4 * (width * width + width)
    dense = width * mlp + mlp + mlp * width + width
    embedding = patch * patch * channels * width + width
    return embedding + width + tokens * width + layers * (2 * norm + attention + dense) + norm


@pytest.mark.parametrize(
    ("make", "size"), [(mbt, Size(768, 12, 3072, 16)), (mbt_small, Size(192, 3, 768, 16))]
)
def test_number_of_parameters(make, size):
    shapes = {"audio": (257, 188, 1), "video": (2, 224, 224, 3)}
    outputs = {"joint": 6, "audio": 6, "video": 6}
    model = nnx.eval_shape(lambda: make(shapes, outputs, rngs=nnx.Rngs(0)))
    expected = (
        parameters_of_stream(1 + 16 * 11, 1, size, layers=8)
        + parameters_of_stream(1 + 2 * 14 * 14, 3, size, layers=8)
        + 4 * size.width  # bottleneck
        + 2 * (size.width * 6 + 6)
        + (2 * size.width * 6 + 6)
    )
    assert sum(x.size for x in jax.tree.leaves(nnx.state(model, nnx.Param))) == expected


@pytest.mark.parametrize("modalities", [("audio", "video"), ("text", "audio", "video")])
def test_exchange_matches_a_layer_written_out(modalities):
    lengths = {"audio": 3, "video": 5, "text": 2}
    rng = np.random.default_rng(2)
    layers = {name: filled(lambda: TransformerLayer(TINY, rngs=nnx.Rngs(0))) for name in modalities}
    tokens = {name: rng.normal(size=(2, lengths[name], 8)) for name in modalities}
    bottleneck = rng.normal(size=(2, 4, 8))
    float32 = jax.tree.map(lambda x: jnp.asarray(x, jnp.float32), (tokens, bottleneck))
    new_tokens, new_bottleneck = quick_jit(lambda t, b: exchange(layers, t, b))(*float32)
    expected_bottleneck = np.zeros_like(bottleneck)
    for name in modalities:
        both = np.concatenate([tokens[name], bottleneck], axis=1)
        expected = numpy_layer(layers[name], both)
        np.testing.assert_allclose(new_tokens[name], expected[:, : lengths[name]], atol=2e-5)
        expected_bottleneck += expected[:, lengths[name] :] / len(modalities)
    np.testing.assert_allclose(new_bottleneck, expected_bottleneck, atol=2e-5)


def audio_gradient_on_video(fusion_layers):
    """Whether the audio loss has a gradient that is not exactly zero, by part of the stream."""
    model = tiny(fusion_layers=fusion_layers)
    graph, params = nnx.split(model, nnx.Param)
    inputs = samples()

    @quick_jit
    def gradient(params):
        def loss(params):
            return jnp.sum(jnp.square(nnx.merge(graph, params)(inputs)["audio"]))

        return jax.grad(loss)(params)

    grads = nnx.to_pure_dict(gradient(params))
    video = dict(grads["encoders"]["video"])
    parts = {**{f"layer {i}": layer for i, layer in video.pop("layers").items()}, **video}
    assert any(np.any(x) for x in jax.tree.leaves(grads["encoders"]["audio"]))
    assert np.any(grads["bottleneck"])
    return {name: any(np.any(x) for x in jax.tree.leaves(part)) for name, part in parts.items()}


def test_after_one_exchange_the_audio_head_has_not_seen_the_video():
    assert not any(audio_gradient_on_video(fusion_layers=1).values())


def test_after_two_exchanges_the_audio_head_has_seen_all_of_the_video_stream_but_its_end():
    reached = audio_gradient_on_video(fusion_layers=2)
    assert {name for name, seen in reached.items() if not seen} == {"layer 2", "norm"}
    assert {"layer 0", "layer 1", "embedding", "class_token", "positions"} <= reached.keys()


def test_the_order_of_the_modalities_does_not_matter():
    model, turned = tiny(), tiny(dict(reversed(SHAPES.items())))
    params = nnx.to_pure_dict(nnx.state(model, nnx.Param))
    joint = params["heads"]["joint"]
    joint["kernel"] = jnp.roll(joint["kernel"], TINY.width, axis=0)
    nnx.update(turned, params)
    inputs = samples()
    expected, outputs = (quick_jit(lambda x, m=m: m(x))(inputs) for m in (model, turned))
    for name in OUTPUTS:
        np.testing.assert_allclose(outputs[name], expected[name], atol=1e-5)


def test_merging_does_not_change_the_outputs():
    model = tiny()
    inputs = samples()
    expected = quick_jit(lambda x: model(x))(inputs)
    merged = nnx.merge(*nnx.split(model))
    outputs = quick_jit(lambda x: merged(x))(inputs)
    for name in OUTPUTS:
        np.testing.assert_allclose(outputs[name], expected[name], atol=1e-6)


def test_three_modalities():
    shapes = {**SHAPES, "flow": (4, 8, 2)}
    model = tiny(shapes, {"joint": 5, "flow": 3})
    outputs = jax.eval_shape(lambda inputs: model(inputs), samples(shapes))
    assert {name: x.shape for name, x in outputs.items()} == {"joint": (2, 5), "flow": (2, 3)}


def test_tokens_are_the_patches_of_every_frame_in_order_without_the_remainder():
    stream = filled(lambda: VisionTransformer((2, 8, 9, 3), 0, TINY, rngs=nnx.Rngs(0)))
    video = samples()["video"]
    kernel = np.asarray(stream.embedding.kernel[...], np.float64)
    tokens = [np.broadcast_to(stream.class_token[...], (2, 1, 8))]
    for frame in range(2):
        for row in (0, 4):
            for column in (0, 4):
                patch = video[:, frame, row : row + 4, column : column + 4]
                token = np.einsum("bhwc,hwcd->bd", patch, kernel) + np.asarray(
                    stream.embedding.bias[...]
                )
                tokens.append(token[:, None])
    expected = np.concatenate(tokens, axis=1) + stream.positions[...]
    np.testing.assert_allclose(stream.embed(video), expected, atol=1e-5)


@pytest.mark.parametrize("shape", [(3, 8, 1), (0, 8, 8, 3), (8, 8), (2, 2, 8, 8, 3)])
def test_an_input_without_patches_is_an_error(shape):
    with pytest.raises(UserError, match="input shape"):
        VisionTransformer(shape, 1, TINY, rngs=nnx.Rngs(0))


def test_a_head_of_no_modality_is_an_error():
    with pytest.raises(UserError, match="head 'text': choose joint or one of video, audio"):
        tiny(outputs={"text": 5})


@pytest.fixture
def weights():
    with np.load(GOLDEN) as golden:
        state = {
            name.removeprefix("state/"): golden[name] for name in golden if name.startswith("state")
        }
        return state, golden["images"], golden["class_token"]


def with_streams(shapes, layers):
    return filled(
        lambda: BottleneckTransformer(
            shapes,
            dict.fromkeys(shapes, 3),
            size=Size(width=32, heads=4, mlp=64, patch=8),
            single_layers=layers - 1,
            fusion_layers=1,
            rngs=nnx.Rngs(0),
        )
    )


def test_a_stream_with_pretrained_weights_equals_timm(weights, tmp_path):
    state, images, expected = weights
    save_file(state, tmp_path / "vit.safetensors")
    model = with_streams({"image": (16, 16, 3)}, layers=2)
    load_vit(model, tmp_path / "vit.safetensors")
    stream = model.encoders["image"]
    np.testing.assert_allclose(quick_jit(lambda x: stream(x))(images), expected, atol=1e-5)


def test_pretrained_weights_reach_every_stream_and_nothing_else(weights, tmp_path):
    state, *_ = weights
    save_file(state, tmp_path / "vit.safetensors")
    model = with_streams({"audio": (24, 16, 1), "video": (3, 16, 16, 3)}, layers=1)
    others = nnx.to_pure_dict(nnx.state((model.heads, model.bottleneck)))
    load_vit(model, tmp_path / "vit.safetensors")
    chex.assert_trees_all_equal(
        nnx.to_pure_dict(nnx.state((model.heads, model.bottleneck))), others
    )
    audio, video = model.encoders["audio"], model.encoders["video"]
    for stream in (audio, video):
        np.testing.assert_array_equal(
            stream.layers[0].dense1.kernel[...], state["blocks.0.mlp.fc1.weight"].T
        )
    # A gray image and the same image repeated in three channels give the same tokens.
    np.testing.assert_allclose(
        audio.embedding.kernel[..., 0, :], np.sum(video.embedding.kernel[...], axis=2), atol=1e-6
    )
    first, patches = state["pos_embed"][:, :1], state["pos_embed"][:, 1:]
    np.testing.assert_array_equal(
        video.positions[...], np.concatenate([first, patches, patches, patches], axis=1)
    )
    # Two rows of positions become three: the first, their mean, the last.
    upper, lower = patches[:, :2], patches[:, 2:]
    resized = np.concatenate([first, upper, (upper + lower) / 2, lower], axis=1)
    np.testing.assert_allclose(audio.positions[...], resized, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("blocks.1.attn.qkv.bias"), r"missing: blocks\.1\.attn\.qkv\.bias"),
        (lambda state: state.update(dist_token=np.zeros(3)), "left over: dist_token"),
        (
            lambda state: state.update(pos_embed=state["pos_embed"][:, :4]),
            "wrong shape or dtype: pos_embed",
        ),
        (
            lambda state: state.update(pos_embed=state["pos_embed"][:, :1]),
            "wrong shape or dtype: pos_embed",
        ),
        (
            lambda state: state.update(pos_embed=np.zeros(32)),
            "wrong shape or dtype: pos_embed",
        ),
        (
            lambda state: state.update({"blocks.0.attn.qkv.weight": np.zeros((95, 32))}),
            r"wrong shape or dtype: blocks\.0\.attn\.qkv\.weight",
        ),
    ],
)
def test_weights_that_do_not_fit_are_an_error(weights, tmp_path, change, message):
    state, *_ = weights
    change(state)
    save_file(state, tmp_path / "vit.safetensors")
    with pytest.raises(UserError, match=message):
        load_vit(with_streams({"image": (16, 16, 3)}, layers=2), tmp_path / "vit.safetensors")


def test_weights_do_not_load_into_another_model():
    with pytest.raises(UserError, match="fit only mbt and mbt-small"):
        load_vit(nnx.Linear(2, 3, rngs=nnx.Rngs(0)), Path("vit.safetensors"))
