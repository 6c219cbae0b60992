"""`value_and_objective_grads` and `stack_objectives` against one `jax.grad` per loss."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from compiling import flops
from objective_grads import MODALITIES, separate_grads, stack, top_level

import mmpareto_jax as mmp


def compute(losses, problem, *args, params=None, has_aux=False, **kwargs):
    """`value_and_objective_grads` under jit."""
    params = problem.params if params is None else params
    function = mmp.value_and_objective_grads(losses, problem.encoders, has_aux=has_aux)
    return jax.jit(function)(params, problem.batch, *args, **kwargs)


def test_gradients_equal_one_jax_grad_per_loss(late_fusion):
    values, grads = compute(late_fusion.losses, late_fusion)
    chex.assert_trees_all_close(
        values, late_fusion.losses(late_fusion.params, late_fusion.batch), rtol=1e-6
    )
    separate = separate_grads(late_fusion.losses, late_fusion.params, late_fusion.batch)
    expected = stack(separate, late_fusion.encoders, top_level)
    chex.assert_trees_all_close(grads, expected, rtol=1e-5, atol=1e-7)


def test_rows_follow_the_order_of_the_objectives(late_fusion):
    backwards = {"audio": mmp.Encoder(params="audio", objectives=("audio", "joint"))}
    reverse = jax.jit(mmp.value_and_objective_grads(late_fusion.losses, backwards))
    _, grads = reverse(late_fusion.params, late_fusion.batch)
    expected = jax.tree.map(lambda leaf: leaf[::-1], late_fusion.grads["audio"])
    chex.assert_trees_all_close(grads["audio"], expected, rtol=1e-5, atol=1e-7)


def test_a_loss_outside_an_encoders_objectives_does_not_train_it(late_fusion):
    def with_decay(params, batch):
        decay = sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(params))
        return late_fusion.losses(params, batch) | {"decay": decay}

    _, grads = compute(with_decay, late_fusion)
    plain = late_fusion.grads
    chex.assert_trees_all_close(grads["audio"], plain["audio"], rtol=1e-5, atol=1e-7)
    expected = jax.tree.map(lambda g, p: g + 2 * p, plain["heads"], late_fusion.params["heads"])
    chex.assert_trees_all_close(grads["heads"], expected, rtol=1e-5, atol=1e-7)


def test_a_loss_that_ignores_the_parameters_has_zero_gradient():
    encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "constant"))}
    losses = lambda params: {"joint": params["net"] ** 2, "constant": jnp.float32(3.0)}
    _, grads = mmp.value_and_objective_grads(losses, encoders)({"net": jnp.float32(2.0)})
    assert grads["net"].tolist() == [4.0, 0.0]


def test_has_aux_returns_the_auxiliary_output_beside_the_values(late_fusion):
    def with_aux(params, batch):
        return late_fusion.losses(params, batch), {"labels": batch["label"]}

    (values, aux), grads = compute(with_aux, late_fusion, has_aux=True)
    assert set(values) == {"joint", *MODALITIES}
    chex.assert_trees_all_equal(aux, {"labels": late_fusion.batch["label"].astype(np.int32)})
    chex.assert_trees_all_close(grads, late_fusion.grads, rtol=1e-6)


def test_further_arguments_reach_the_losses(late_fusion):
    def scaled(params, batch, scale, *, shift):
        losses = late_fusion.losses(params, batch)
        return {name: scale * value + shift for name, value in losses.items()}

    values, grads = compute(scaled, late_fusion, 4.0, shift=1.0)
    plain = late_fusion.losses(late_fusion.params, late_fusion.batch)
    chex.assert_trees_all_close(values, {n: 4 * v + 1 for n, v in plain.items()}, rtol=1e-6)
    expected = jax.tree.map(lambda g: 4 * g, late_fusion.grads)
    chex.assert_trees_all_close(grads, expected, rtol=1e-5, atol=1e-7)


def test_gradients_of_bfloat16_parameters_are_bfloat16(late_fusion):
    params = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), late_fusion.params)

    def losses(params, batch):
        return late_fusion.losses(jax.tree.map(lambda leaf: leaf.astype("f"), params), batch)

    _, grads = compute(losses, late_fusion, params=params)
    separate = separate_grads(losses, params, late_fusion.batch)
    expected = stack(separate, late_fusion.encoders, top_level)
    chex.assert_trees_all_equal_shapes_and_dtypes(grads, expected)
    rounding = float(4 * jnp.finfo(jnp.bfloat16).eps)
    chex.assert_trees_all_close(grads, expected, rtol=rounding, atol=rounding / 4)


def test_eager_execution_gives_the_same(late_fusion):
    function = mmp.value_and_objective_grads(late_fusion.losses, late_fusion.encoders)
    _, grads = function(late_fusion.params, late_fusion.batch)
    chex.assert_trees_all_close(grads, late_fusion.grads, rtol=1e-5, atol=1e-7)


def test_stacking_separate_gradients_gives_the_same(late_fusion):
    separate = separate_grads(late_fusion.losses, late_fusion.params, late_fusion.batch)
    stacked = mmp.stack_objectives(separate, late_fusion.encoders)
    chex.assert_trees_all_close(stacked, late_fusion.grads, rtol=1e-5, atol=1e-7)


# ---------------------------------------------------------------- cost


def test_the_forward_is_traced_once(late_fusion):
    calls = []

    def counting(params, batch):
        calls.append(None)
        return late_fusion.losses(params, batch)

    count = mmp.value_and_objective_grads(counting, late_fusion.encoders)
    jax.eval_shape(count, late_fusion.params, late_fusion.batch)
    assert len(calls) == 1


def test_flops_are_at_most_five_thirds_of_the_gradient_of_the_sum():
    width, depth = 64, 4
    names = ("joint", *MODALITIES)

    def losses(params, batch):
        hidden = {}
        for name in MODALITIES:
            hidden[name] = batch
            for layer in params[name]:
                hidden[name] = jax.nn.relu(hidden[name] @ layer)
        hidden["joint"] = hidden["audio"] + hidden["visual"]
        return {name: jnp.mean(hidden[name] @ params["heads"][name]) for name in names}

    layers = [jnp.ones((width, width))] * depth
    params = {"audio": layers, "visual": layers, "heads": {n: jnp.ones(width) for n in names}}
    encoders = {m: mmp.Encoder(params=m, objectives=("joint", m)) for m in MODALITIES}
    batch = jnp.ones((128, width))
    summed = jax.value_and_grad(lambda params, batch: sum(losses(params, batch).values()))
    separate = mmp.value_and_objective_grads(losses, encoders)
    cost = [flops(f, params, batch) for f in (separate, summed)]
    assert cost[0] / cost[1] <= 5 / 3


# ---------------------------------------------------------------- errors


NET = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
ZERO = np.float32(0.0)
WRONG_OUTPUT = {
    "a vector": ({"joint": ZERO, "audio": np.zeros(3, "f")}, r"'audio'.*float32.*\(3,\)"),
    "an integer": ({"joint": np.int32(0), "audio": ZERO}, "'joint'.*int32"),
    "complex": ({"joint": ZERO, "audio": np.complex64(0)}, "'audio'.*complex64"),
    "a nested dict": ({"joint": ZERO, "audio": {"a": ZERO}}, "'audio'"),
    "a list of one": ({"joint": ZERO, "audio": [ZERO]}, "'audio'"),
    "none": ({"joint": ZERO, "audio": None}, "'audio'"),
    "an array": (np.zeros(2), "dict of scalars, got ndarray"),
    "a list": ([ZERO], "dict of scalars, got list of 1"),
    "a pair without has_aux": (({"joint": ZERO}, 1), "dict of scalars, got tuple of 2"),
    "empty": ({}, "empty dict"),
    "another name": (
        {"joint": ZERO, "sound": ZERO},
        "encoder 'net': no loss is called 'audio'; losses are joint, sound",
    ),
}


@pytest.mark.parametrize("case", WRONG_OUTPUT)
def test_wrong_losses_are_named_in_the_error(case):
    output, message = WRONG_OUTPUT[case]
    with pytest.raises(ValueError, match=message):
        mmp.value_and_objective_grads(lambda params: output, NET)({"net": jnp.zeros(2)})


def test_has_aux_without_auxiliary_output_is_an_error():
    losses = lambda params: {"joint": jnp.sum(params["net"]), "audio": jnp.sum(params["net"])}
    with pytest.raises(ValueError, match="must return"):
        mmp.value_and_objective_grads(losses, NET, has_aux=True)({"net": jnp.zeros(2)})


def test_stacking_names_a_missing_gradient():
    grads = {"joint": {"net": jnp.zeros(2)}, "sound": {"net": jnp.zeros(2)}}
    with pytest.raises(ValueError, match="no loss is called 'audio'; losses are joint, sound"):
        mmp.stack_objectives(grads, NET)


def test_stacking_nothing_is_an_error():
    with pytest.raises(ValueError, match="no loss"):
        mmp.stack_objectives({}, NET)


def test_integer_parameters_are_refused_as_jax_grad_refuses_them():
    params = {"net": jnp.zeros(2), "table": jnp.arange(3)}
    losses = lambda params: dict.fromkeys(("joint", "audio"), jnp.sum(params["net"]))
    with pytest.raises((TypeError, ValueError), match="int32"):
        mmp.value_and_objective_grads(losses, NET)(params)
