"""Gradient accumulation: losses and gradients averaged over the parts of a large batch."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax._encoders import dtype_of, quoted
from mmpareto_jax._gradients import kind
from mmpareto_jax._gramian import mean_dtype
from mmpareto_jax._hyper_parameters import check_count


def accumulate(
    value_and_grads: Callable[..., Any], micro_batches: int, *, has_aux: bool = False
) -> Callable[..., Any]:
    """Average losses and gradients over micro-batches, so that gradients are combined only once.

    The weights for an averaged gradient are not the average of the micro-batches' weights, so the
    gradients of each objective must be averaged first. Wrap
    :func:`~mmpareto_jax.value_and_objective_grads` (or ``jax.value_and_grad``) in this function,
    and apply the aggregator to the result. The micro-batches run one after the other in a
    ``lax.scan``, so the activations of one forward pass and two stacks of gradients are in memory
    at a time. Sums are in float32, or in float64 for float64 values. A micro-batch takes every n-th
    sample, with n micro-batches, so that a batch sharded over devices stays where it is and each
    micro-batch uses all devices.

    Args:
      value_and_grads: Function of ``params``, ``batch`` and further arguments that returns
        ``(values, grads)``, or ``((values, aux), grads)`` where ``has_aux``, for losses that are
        means over the batch.
      micro_batches: The number of micro-batches; it must divide the batch's leading axis.
      has_aux: Whether ``value_and_grads`` returns auxiliary output, False by default. This is not
        averaged: its leaves get a leading axis ``[micro_batches]``.

    Returns:
      A function of the same arguments that returns the same structure for the whole batch.

    Raises:
      ValueError: If ``micro_batches`` is not positive. The returned function raises it if the batch
        cannot be split, or ``value_and_grads`` returns another structure.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
      >>> def losses(params, batch):
      ...     return {"joint": jnp.mean(params["net"] * batch), "audio": params["net"] ** 2}
      >>> grads_of = mmp.accumulate(mmp.value_and_objective_grads(losses, encoders), 2)
      >>> values, grads = grads_of({"net": jnp.array(3.0)}, jnp.array([1.0, 2.0, 3.0, 6.0]))
      >>> print(values["joint"], grads["net"])
      9.0 [3. 6.]
    """
    check_count("micro_batches", micro_batches, 1)

    def split(path: Any, leaf: jax.Array) -> jax.Array:
        if jnp.ndim(leaf) == 0 or jnp.shape(leaf)[0] % micro_batches:
            raise ValueError(
                f"batch {quoted(path)} of shape {jnp.shape(leaf)} cannot be split into "
                f"{micro_batches}"
            )
        # Every n-th sample: neighboring samples of a sharded batch would lie on a few devices only.
        return jnp.moveaxis(jnp.reshape(leaf, (-1, micro_batches, *jnp.shape(leaf)[1:])), 1, 0)

    def accumulated(params: Any, batch: Any, *args: Any, **kwargs: Any) -> Any:
        def run(micro_batch: Any) -> tuple[Any, Any]:
            return _split_off_aux(value_and_grads(params, micro_batch, *args, **kwargs), has_aux)

        parts = jax.tree_util.tree_map_with_path(split, batch)
        shapes, _ = jax.eval_shape(run, jax.tree.map(lambda leaf: leaf[0], parts))

        def add(total: Any, micro_batch: Any) -> tuple[Any, Any]:
            means, aux = run(micro_batch)
            return jax.tree.map(lambda sum_, new: sum_ + new.astype(sum_.dtype), total, means), aux

        # zeros_like keeps the sharding of the sums, and the axes over which they vary.
        zeros = jax.tree.map(lambda leaf: jnp.zeros_like(leaf, dtype=mean_dtype(leaf)), shapes)
        total, aux = jax.lax.scan(add, zeros, parts)
        values, grads = jax.tree.map(
            lambda sum_, leaf: (sum_ / micro_batches).astype(leaf.dtype), total, shapes
        )
        return ((values, aux) if has_aux else values), grads

    return accumulated


def _split_off_aux(output: Any, has_aux: bool) -> tuple[Any, Any]:
    """Split what a user's ``value_and_grads`` returned into gradients and auxiliary output.

    Args:
      output: ``((values, aux), grads)`` if ``has_aux``, otherwise ``(values, grads)``.
      has_aux: Whether there is auxiliary output.

    Returns:
      The pair ``((values, grads), aux)``, with None for ``aux`` if ``has_aux`` is False.

    Raises:
      ValueError: If ``output`` has another structure, or a leaf of ``aux`` is not an array.
    """
    if not isinstance(output, tuple) or len(output) != 2:
        raise ValueError(f"value_and_grads must return (values, grads), got {kind(output)}")
    values, grads = output
    if isinstance(values, tuple) and not has_aux:
        raise ValueError(
            "value_and_grads returned a tuple in place of the values: for auxiliary output pass "
            "has_aux=True to accumulate"
        )
    if has_aux:
        if not isinstance(values, tuple) or len(values) != 2:
            raise ValueError(
                "has_aux=True: value_and_grads must return ((values, aux), grads), got "
                f"{kind(values)} in place of (values, aux)"
            )
        values, aux = values
        for path, leaf in jax.tree_util.tree_leaves_with_path(aux):
            dtype_of(leaf, f"auxiliary output {quoted(path)}")
        return (values, grads), aux
    return (values, grads), None
