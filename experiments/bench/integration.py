"""The integration of gradients alone, over the time to stream the bytes that it must move."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import mmpareto_jax as mmp
from experiments.bench.ratio import Ratio, times_in_turns
from mmpareto_jax._gramian import combine, gramian

TENSORS = 25
SHAPE = (1000, 1000)


def measure(rounds: int) -> dict[str, float | Ratio]:
    """Time of ``aggregate`` on 25 million float32 parameters and two objectives.

    The floor is what a plain streaming kernel takes in the same round to read both gradients once
    for the Gramian, and to read them once more and write the combination.
    """
    keys = jax.random.split(jax.random.key(0), TENSORS)
    params = {f"tensor {i}": jnp.zeros(SHAPE) for i in range(TENSORS)}
    grads = {
        name: jax.random.normal(key, (2, *SHAPE)) for name, key in zip(params, keys, strict=True)
    }
    tx = mmp.mmpareto()
    state = tx.init(params)
    weights = jnp.array([1.0, 0.5])
    aggregate = jax.jit(tx.update)
    gramians = jax.jit(lambda grads: jax.tree.map(gramian, grads))
    combinations = jax.jit(lambda w, grads: jax.tree.map(functools.partial(combine, w), grads))
    read = jax.jit(lambda grads: jax.tree.map(jnp.sum, grads))
    read_and_write = jax.jit(lambda grads: jax.tree.map(lambda g: g[0] + g[1], grads))
    kernels: dict[str, Callable[[], Any]] = {
        "aggregate": lambda: aggregate(grads, state),
        "gramian": lambda: gramians(grads),
        "combine": lambda: combinations(weights, grads),
        "read": lambda: read(grads),
        "read and write": lambda: read_and_write(grads),
    }
    times = times_in_turns(kernels, rounds)
    floor = times["read"] + times["read and write"]
    return {
        "aggregate, 25 million parameters, over the streaming floor": Ratio.over_rounds(
            times["aggregate"], floor
        ),
        "its Gramian over reading the gradients": Ratio.over_rounds(
            times["gramian"], times["read"]
        ),
        "its combination over reading them and writing one": Ratio.over_rounds(
            times["combine"], times["read and write"]
        ),
    }
