"""`accumulate`: the gradients of a whole batch from its parts."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mmpareto_jax as mmp


@pytest.mark.parametrize("micro_batches", [1, 2, 8])
def test_accumulated_gradients_are_those_of_the_whole_batch(late_fusion, micro_batches):
    grads_of = mmp.value_and_objective_grads(late_fusion.losses, late_fusion.encoders)
    whole = grads_of(late_fusion.params, late_fusion.batch)
    parts = jax.jit(mmp.accumulate(grads_of, micro_batches))(late_fusion.params, late_fusion.batch)
    chex.assert_trees_all_close(parts, whole, rtol=1e-5, atol=1e-6)


def test_accumulation_is_integrated_once(late_fusion):
    """The update of the large batch, which the mean of the micro-batches' updates is not."""
    tx = mmp.mmpareto(late_fusion.encoders)
    grads_of = mmp.value_and_objective_grads(late_fusion.losses, late_fusion.encoders)

    def update(grads):
        return tx.update(grads, tx.init(late_fusion.params), late_fusion.params)[0]

    whole = update(grads_of(late_fusion.params, late_fusion.batch)[1])
    once = update(mmp.accumulate(grads_of, 4)(late_fusion.params, late_fusion.batch)[1])
    chex.assert_trees_all_close(once, whole, rtol=1e-4, atol=1e-6)
    micro = [jax.tree.map(lambda x, i=i: x[4 * i : 4 * i + 4], late_fusion.batch) for i in range(4)]
    each = [update(grads_of(late_fusion.params, batch)[1]) for batch in micro]
    mean = jax.tree.map(lambda *leaves: sum(leaves) / 4, *each)
    assert optax.tree.norm(jax.tree.map(jnp.subtract, mean, whole)) > 1e-2


def test_accumulation_sums_half_precision_in_float32():
    grads_of = mmp.accumulate(jax.value_and_grad(lambda w, x: jnp.mean(w * x)), 512)
    batch = jnp.ones(512, jnp.bfloat16).at[0].set(256)
    value, grad = grads_of(jnp.ones((), jnp.bfloat16), batch)
    assert value.dtype == grad.dtype == jnp.bfloat16
    np.testing.assert_allclose(float(grad), (256 + 511) / 512, rtol=2**-8)


def test_a_batch_that_cannot_be_split_is_named(late_fusion):
    grads_of = mmp.value_and_objective_grads(late_fusion.losses, late_fusion.encoders)
    with pytest.raises(ValueError, match=r"shape \(16, 3\) cannot be split into 5"):
        mmp.accumulate(grads_of, 5)(late_fusion.params, late_fusion.batch)
    with pytest.raises(ValueError, match="micro_batches must be at least 1"):
        mmp.accumulate(grads_of, 0)


def test_accumulation_hands_on_the_auxiliary_output_of_each_micro_batch():
    encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
    params = {"net": np.ones(2, "f"), "head": np.ones(1, "f")}

    def function(params, batch):
        total = jnp.sum(params["net"]) + jnp.sum(params["head"])
        aux = {"first": batch["x"][0], "text": jnp.zeros((2, 3), jnp.int32)}
        return {"joint": total, "audio": 2 * total}, aux

    grads = mmp.value_and_objective_grads(function, encoders, has_aux=True)
    compute = mmp.accumulate(lambda params, batch: grads(params, batch), 2, has_aux=True)
    (values, aux), found = compute(params, {"x": np.arange(4.0, dtype="f")})
    assert aux["first"].tolist() == [0.0, 1.0]  # every second sample is in a micro-batch
    assert aux["text"].shape == (2, 2, 3)
    assert aux["text"].dtype == np.int32
    assert float(values["joint"]) == 3.0
    assert found["net"].tolist() == [[1.0, 1.0], [2.0, 2.0]]
