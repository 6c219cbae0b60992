"""Times of programs that take turns, and counted operations."""

import jax
import jax.numpy as jnp

from experiments.engine import timing


def test_flops_of_a_matrix_product_are_counted():
    left, right = jnp.ones((8, 16)), jnp.ones((16, 4))
    compiled = jax.jit(jnp.matmul).lower(left, right).compile()
    assert timing.flops(compiled) == 2 * 8 * 16 * 4


def test_programs_take_turns():
    calls = []
    programs = {name: lambda name=name: calls.append(name) for name in "ab"}
    times = timing.times_in_turns(programs, rounds=2, calls=2)
    assert calls == list("aabb" * 3)
    assert {name: values.shape for name, values in times.items()} == {"a": (2,), "b": (2,)}
