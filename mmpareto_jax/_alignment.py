"""How far the optimizer's update still serves each objective."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._encoders import (
    Encoder,
    check_encoders,
    check_same_paths,
    dtype_of,
    label_parameters,
    quoted,
)
from mmpareto_jax._gramian import accumulation_dtype, gramian
from mmpareto_jax._partition import check_gradients
from mmpareto_jax._scattered import AxisName, sum_over_shards


class Alignment(NamedTuple):
    """What an update does to the objectives of one encoder, to first order.

    Attributes:
      cosine: ``[K]``, the cosine between minus the gradient of each objective and the update: 1 for
        steepest descent on that objective, negative if the update makes it worse. A zero gradient
        or update has cosine 0.
      change: ``[K]``, the inner product of each objective's gradient and the update: the change of
        its loss to first order through this encoder's parameters, negative if the loss falls.
    """

    cosine: jax.Array
    change: jax.Array


def update_alignment(
    grads: Any,
    updates: Any,
    encoders: Mapping[str, Encoder],
    *,
    axis_name: AxisName | None = None,
) -> dict[str, Alignment]:
    r"""Measure what an update does to each objective of each encoder.

    An aggregator decides on a direction, but what follows it in the chain, such as momentum, Adam,
    clipping and weight decay, changes it. This compares the final update u with the gradients
    :math:`g_i` of the objectives:

    .. math:: \cos(-g_i, u) = -\frac{\langle g_i, u \rangle}{|g_i| |u|}, \qquad
      L_i(\theta + u) - L_i(\theta) \approx \langle g_i, u \rangle .

    It is pure and works under ``jit``, also for complex parameters. Inner products are summed in
    float32, or in float64 for float64 gradients.

    Args:
      grads: The gradients that the aggregator took, from
        :func:`~mmpareto_jax.value_and_objective_grads`: an encoder's leaves have shape
        ``[K, *shape]``.
      updates: The updates that ``optax.apply_updates`` takes, shaped like the parameters.
      encoders: Encoders by name.
      axis_name: Mapped axis, or axes, over which the parameters are sharded (in ``shard_map`` or
        ``pmap``). In data parallelism, pass gradients that are averaged over the devices.

    Returns:
      An :class:`Alignment` for each encoder, by its name.

    Raises:
      ValueError: If the trees do not fit each other or the encoders.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
      >>> grads = {"net": jnp.array([[3.0, 4.0], [0.0, -1.0]])}
      >>> updates = {"net": jnp.array([-0.3, -0.4])}
      >>> net = mmp.update_alignment(grads, updates, encoders)["net"]
      >>> print(net.cosine, net.change)
      [ 1.  -0.8] [-2.5  0.4]
    """
    check_encoders(encoders)
    check_same_paths(grads, updates, "the tree of gradients", "the tree of updates")
    for path, update in jax.tree_util.tree_leaves_with_path(updates):
        dtype_of(update, f"the update of {quoted(path)}")
    labels = label_parameters(updates, encoders)
    check_gradients(encoders, labels, grads, updates)
    rows = list(zip(*map(jax.tree.leaves, (labels, grads, updates)), strict=True))
    found = {}
    for name in encoders:
        own = [(gradient, update) for label, gradient, update in rows if label == name]
        dtype = accumulation_dtype([gradient for gradient, _ in own])
        products = sum(_products(*pair, axis_name).astype(dtype) for pair in own)
        found[name] = _read(jnp.asarray(products))
    return found


def _products(gradient: jax.Array, update: jax.Array, axis_name: AxisName | None) -> jax.Array:
    """Return the Gramian ``[K + 1, K + 1]`` of one tensor's gradients and, last, its update."""
    both = (jnp.asarray(gradient), jnp.asarray(update)[None])
    dtype = accumulation_dtype(both)
    real = jnp.concatenate([part.real.astype(dtype) for part in both])
    products = gramian(real)
    if any(map(jnp.iscomplexobj, both)):
        products += gramian(jnp.concatenate([part.imag.astype(dtype) for part in both]))
    return sum_over_shards(products, real, axis_name)


def _read(products: jax.Array) -> Alignment:
    norms = jnp.sqrt(jnp.diagonal(products))
    change, lengths = products[:-1, -1], norms[:-1] * norms[-1]
    cosine = jnp.where(lengths == 0, 0, -change / jnp.where(lengths == 0, 1, lengths))
    return Alignment(cosine, change)
