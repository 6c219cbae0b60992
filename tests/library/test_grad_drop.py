"""`grad_drop`: at each coordinate the gradients of one sign, drawn at random."""

from functools import cache

import jax.numpy as jnp
import numpy as np
import pytest
import rivals_reference as reference
from stepping import close, update_of

import mmpareto_jax as mmp

MIXED = np.array([[3.0, -1.0, 0.0, 2.0, -2.0, 1.0], [-1.0, -2.0, 0.0, 2.0, 2.0, 0.0]])
MIXED = np.vstack([MIXED, [[2.0, -3.0, 0.0, 1.0, -1.0, -4.0]]])


@cache
def many_drops(leak):
    """The updates of `MIXED`, each coordinate in 4000 copies: `[6, 4000]`."""
    grads = {"w": np.repeat(MIXED[:, :, None], 4000, axis=2)}
    return update_of(mmp.grad_drop, grads, leak=leak, num_objectives=3)["w"]


@pytest.mark.parametrize("leak", [0.0, 0.3, 1.0, (0.0, 1.0, 0.5)])
def test_grad_drop_keeps_one_sign_as_often_as_its_purity_says(leak):
    found = many_drops(leak)
    leaks = np.broadcast_to(leak, 3)
    positive = reference.grad_drop(MIXED, np.full(6, 1e-12), leaks)  # every U below P
    negative = reference.grad_drop(MIXED, np.full(6, 1.0 - 1e-12), leaks)
    purity = 0.5 * (1.0 + MIXED.sum(axis=0) / np.maximum(np.abs(MIXED).sum(axis=0), 1e-30))
    for p in range(6):
        kept = np.isclose(found[p], positive[p], rtol=1e-9, atol=1e-12)
        dropped = np.isclose(found[p], negative[p], rtol=1e-9, atol=1e-12)
        assert (kept | dropped).all()
        if not np.isclose(positive[p], negative[p]):
            assert kept.mean() == pytest.approx(purity[p], abs=0.03)


def test_grad_drop_of_zeros_is_zero():
    np.testing.assert_array_equal(many_drops(0.0)[2], np.zeros(4000))


def test_grad_drop_with_a_full_leak_is_the_sum():
    close(many_drops(1.0), np.repeat(MIXED.sum(axis=0)[:, None], 4000, axis=1))


def test_grad_drop_draws_anew_for_every_coordinate_leaf_and_step():
    opposite = np.array([[1.0] * 64, [-1.0] * 64])
    first, second = update_of(mmp.grad_drop, {"a": opposite, "b": opposite}, steps=2)
    draws = [first["a"], first["b"], second["a"], second["b"]]
    assert len({draw.tobytes() for draw in draws}) == 4
    assert all(set(draw) == {-1.0, 1.0} for draw in draws)
    again = update_of(mmp.grad_drop, {"a": opposite, "b": opposite})
    other = update_of(mmp.grad_drop, {"a": opposite, "b": opposite}, seed=1)
    np.testing.assert_array_equal(again["a"], first["a"])
    assert not np.array_equal(other["a"], first["a"])


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_grad_drop_always_keeps_a_sign_without_conflict(sign, dtype):
    grads = {"w": jnp.full((2, 20_000), sign, dtype)}
    found = update_of(mmp.grad_drop, grads)["w"]
    assert found.dtype == dtype
    np.testing.assert_array_equal(found.astype(np.float32), 2.0 * sign)
