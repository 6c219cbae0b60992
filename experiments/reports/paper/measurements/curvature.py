"""The curvature of the joint loss: the largest eigenvalue and the trace of its Hessian."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from experiments.engine.feeds import Batch
from experiments.engine.program import Program
from experiments.engine.state import TrainState
from experiments.methods import Losses
from experiments.reports.paper.measurements._hutchinson import traces
from experiments.reports.paper.measurements._joint_loss import fixed_samples, joint
from experiments.reports.paper.measurements._lanczos import Product, largest_eigenvalue

ITERATIONS = 20
"""The largest number of Lanczos iterations."""

TOLERANCE = 1e-3
"""Lanczos stops when the residual is at most this times the largest magnitude of a Ritz value."""

VECTORS = 20
"""The number of random vectors for the traces."""


def curvature(
    compiled: Program, state: TrainState, encoders: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    """Return the largest eigenvalue and the trace of the Hessian of the joint loss.

    The loss is taken on the first 512 training samples, in evaluation mode. The result is
    deterministic: the random vectors are the same for all states.

    Args:
      compiled: The run's program. Only the product of the Hessian and a vector is compiled, once
        for a program.
      state: The state whose parameters and batch statistics are used.
      encoders: The encoders by name; their parameters make the smaller block.

    Returns:
      ``samples`` and, for all parameters (``all``) and for the block of the Hessian that belongs to
      the encoders alone (``encoders``), which the methods train differently:

      * ``parameters`` (their number) and ``squared_norm``;
      * ``eigenvalue``, the largest Ritz value of at most 20 Lanczos iterations, ``residual``, the
        bound of its distance from an eigenvalue, and ``iterations``;
      * ``trace``, Hutchinson's estimate with 20 Rademacher vectors, and ``trace_error``, its
        standard error.
    """
    samples = fixed_samples(compiled)
    number = sum(count for _, count in samples)
    parameters, _ = ravel_pytree(state.params)
    blocks = jnp.stack([jnp.ones_like(parameters), _of(encoders, state.params)])

    def product(vector: jax.Array) -> jax.Array:
        total = jnp.zeros_like(vector)
        for batch, count in samples:
            part = _hessian_vector_product(compiled.losses, state, batch, vector)
            total = jax.block_until_ready(total + (count / number) * part)
        return total

    for_eigenvalues, for_traces = jax.random.split(jax.random.key(0))
    start = jax.random.normal(for_eigenvalues, parameters.shape, parameters.dtype)
    estimates = traces(product, blocks, for_traces, VECTORS)
    result: dict[str, Any] = {"samples": number}
    for name, block, trace in zip(("all", "encoders"), blocks, estimates, strict=True):
        ritz = largest_eigenvalue(_within(block, product), block * start, ITERATIONS, TOLERANCE)
        result[name] = {
            "parameters": int(jnp.sum(block > 0)),
            "squared_norm": float(jnp.sum(block * parameters**2)),
            "eigenvalue": ritz.value,
            "residual": ritz.residual,
            "iterations": ritz.iterations,
            "trace": trace.value,
            "trace_error": trace.error,
        }
    return result


def _of(encoders: Mapping[str, tuple[str, ...]], params: Any) -> jax.Array:
    """Return the mask of the encoders' parameters: 1 for them and 0 for all others.

    Args:
      encoders: The encoders by name.
      params: The parameters of the model, with N numbers in all.

    Returns:
      ``[N]``, in the order in which ``ravel_pytree`` puts the parameters.
    """

    def indicator(path: tuple[Any, ...], leaf: jax.Array) -> jax.Array:
        names = [entry.key for entry in path]
        return jnp.full_like(leaf, names[0] == "encoders" and names[1] in encoders)

    return ravel_pytree(jax.tree_util.tree_map_with_path(indicator, params))[0]


def _within(block: jax.Array, product: Product) -> Product:
    return lambda vector: block * product(block * vector)


@functools.partial(jax.jit, static_argnums=0)
def _hessian_vector_product(
    losses: Callable[[TrainState, Batch], Losses],
    state: TrainState,
    batch: Batch,
    vector: jax.Array,
) -> jax.Array:
    parameters, unravel = ravel_pytree(state.params)

    def loss(parameters: jax.Array) -> jax.Array:
        return joint(losses(state._replace(params=unravel(parameters)), batch))

    return jax.jvp(jax.grad(loss), (parameters,), (vector,))[1]
