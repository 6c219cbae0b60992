"""Which parameters an encoder owns, and what it says when it is misdescribed."""

import jax
import jax.numpy as jnp
import pytest
from flax import nnx

import mmpareto_jax as mmp
from mmpareto_jax._encoders import PLAIN, label_parameters

OBJECTIVES = ("joint", "audio")


def encoder(params):
    return mmp.Encoder(params=params, objectives=OBJECTIVES)


def owned(tree, params):
    """The paths of the leaves of `tree` that `encoder(params)` owns."""
    labels = label_parameters(tree, {"it": encoder(params)})
    leaves = jax.tree_util.tree_leaves_with_path(labels)
    return {
        jax.tree_util.keystr(path, simple=True, separator="/")
        for path, label in leaves
        if label == "it"
    }


NESTED = {
    "nets": {"audio": {"conv": {"w": 0.0, "b": 0.0}}, "audio_2": {"w": 0.0}},
    "audio": 0.0,
    "layers": [{"w": 0.0}, {"w": 0.0}, ({"w": 0.0}, 0.0)],
}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("nets/audio", {"nets/audio/conv/w", "nets/audio/conv/b"}),
        ("nets/audio/conv/w", {"nets/audio/conv/w"}),
        ("audio", {"audio"}),
        ("layers/1", {"layers/1/w"}),
        ("layers/2", {"layers/2/0/w", "layers/2/1"}),
        (("audio", "layers/0"), {"audio", "layers/0/w"}),
        (("nets/audio", "nets/audio/conv"), {"nets/audio/conv/w", "nets/audio/conv/b"}),
        (lambda path: path.endswith("/b"), {"nets/audio/conv/b"}),
    ],
    # Sets and functions have no text that is the same in every process.
    ids=range(8),
)
def test_prefixes_match_whole_components_at_any_depth(params, expected):
    assert owned(NESTED, params) == expected


def test_a_leaf_in_no_encoder_is_labeled_plain():
    labels = label_parameters({"net": 0.0, "head": 0.0}, {"a": encoder("net")})
    assert labels == {"net": "a", "head": PLAIN}


def test_list_indices_match_as_whole_components():
    layers = {"layers": [0.0] * 11}
    assert owned(layers, "layers/1") == {"layers/1"}


class TwoNets(nnx.Module):
    def __init__(self, rngs):
        self.net = nnx.Linear(2, 2, rngs=rngs)
        self.network = nnx.List([nnx.Linear(2, 1, rngs=rngs)])


def test_nnx_parameters_end_in_value():
    state = nnx.state(TwoNets(nnx.Rngs(0)), nnx.Param)
    assert owned(state, "net") == {"net/kernel/value", "net/bias/value"}
    assert owned(state, "network/0/bias") == {"network/0/bias/value"}


def test_pure_dicts_of_nnx_have_the_paths_of_the_module():
    state = nnx.to_pure_dict(nnx.state(TwoNets(nnx.Rngs(0)), nnx.Param))
    assert owned(state, "network/0") == {"network/0/kernel", "network/0/bias"}


def test_a_single_array_is_one_encoder_by_default():
    tx = mmp.mmpareto()
    params, grads = jnp.zeros(2), jnp.array([[1.0, 0.0], [0.0, 1.0]])
    updates, state = jax.jit(tx.update)(grads, tx.init(params), params)
    assert updates.tolist() == [1.5, 1.5]
    assert list(jax.eval_shape(mmp.diagnostics, state)) == ["all"]


def test_a_single_array_has_the_empty_path():
    assert owned(jnp.zeros(2), "") == {""}


@pytest.mark.parametrize("prefix", ["audi", "nets/audio/", "w", "layers/3", "nets.audio"])
def test_a_prefix_that_matches_nothing_is_named_with_the_paths_that_exist(prefix):
    with pytest.raises(ValueError, match="matches no parameter") as error:
        label_parameters(NESTED, {"it": encoder(("audio", prefix))})
    message = str(error.value)
    assert "'it'" in message
    assert repr(prefix) in message
    assert "nets/audio/conv/w" in message
    assert "layers/2/1" in message


def test_gradients_without_any_leaf_are_an_error():
    # What nnx.Optimizer hands on where gradients are plain dicts instead of an nnx.State.
    tx = mmp.mmpareto({"it": encoder("net")})
    with pytest.raises(ValueError, match="'net' matches no parameter"):
        tx.update({}, tx.init({"net": jnp.zeros(2)}))


def test_a_function_that_matches_nothing_is_reported_with_the_paths_that_exist():
    with pytest.raises(ValueError, match=r"encoder 'it' matches no parameter; paths are .*audio"):
        label_parameters(NESTED, {"it": encoder(lambda path: False)})


def test_a_long_list_of_paths_is_cut():
    many = {f"layer_{i:03}": 0.0 for i in range(200)}
    with pytest.raises(ValueError, match=r"layer_000.* and 180 more$"):
        label_parameters(many, {"it": encoder("head")})


def test_a_leaf_claimed_twice_is_named_with_its_claimants():
    encoders = {"one": encoder("nets"), "two": encoder("audio"), "three": encoder("nets/audio")}
    with pytest.raises(ValueError, match=r"'nets/audio/conv/b' is claimed by .*one, three$"):
        label_parameters(NESTED, encoders)


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ((), "at least one objective"),
        (("joint", "audio", "joint"), "'joint' is named 2 times"),
        ("joint", "a tuple of names, got 'joint'"),
    ],
)
def test_objectives_must_be_distinct_names(objectives, message):
    with pytest.raises(ValueError, match=message):
        mmp.Encoder(params="net", objectives=objectives)


def test_an_encoder_cannot_take_the_label_of_plain_parameters():
    with pytest.raises(ValueError, match="cannot be called"):
        label_parameters(NESTED, {PLAIN: encoder("audio")})


@pytest.mark.parametrize("of", ["init", "update", "gradients", "stack"])
def test_every_entry_point_checks_the_prefixes(of, late_fusion):
    wrong = {"audio": encoder("audio_net")}
    params, tx = late_fusion.params, mmp.mmpareto(wrong)
    calls = {
        "init": lambda: tx.init(params),
        "update": lambda: tx.update(
            late_fusion.grads, mmp.mmpareto({"audio": encoder("audio")}).init(params)
        ),
        "gradients": lambda: mmp.value_and_objective_grads(late_fusion.losses, wrong)(
            params, late_fusion.batch
        ),
        "stack": lambda: mmp.stack_objectives({"joint": params, "audio": params}, wrong),
    }
    with pytest.raises(ValueError, match="'audio_net' matches no parameter; paths are audio/b"):
        calls[of]()
