"""Weightings to optax aggregators."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from optax.experimental import aggregating

from mmpareto_jax import weightings
from mmpareto_jax._decision import EncoderState, check_weighting, decide, initial_state
from mmpareto_jax._encoders import Encoder
from mmpareto_jax._gramian import combine, gramian
from mmpareto_jax._partition import per_encoder
from mmpareto_jax._released import released_direction, rescale_tensor
from mmpareto_jax._scattered import (
    AxisName,
    all_gather,
    average,
    average_values,
    axis_names,
    check_disjoint,
    check_local,
    reduce_scatter,
    sum_over_shards,
)
from mmpareto_jax.weightings import Weighting


def aggregate(
    weighting: Weighting,
    encoders: Mapping[str, Encoder] | None = None,
    *,
    num_objectives: int = 2,
    axis_name: AxisName | None = None,
    average_over: AxisName | None = None,
) -> aggregating.Aggregator:
    """Apply a weighting to each encoder's stacked gradients.

    Takes the gradients of :func:`~mmpareto_jax.value_and_objective_grads`: leaves of an encoder
    are ``[K, *shape]``, and come out as ``[*shape]``, combined with that encoder's weights. Leaves
    in no encoder pass unchanged. The result is shaped like the parameters, so any optax
    transformation may follow in ``optax.chain``. Put ``optax.MultiSteps`` and
    ``optax.apply_if_finite`` after the aggregator, around the rest of the chain: around the
    aggregator itself they would see gradients that are not shaped like the parameters. (Do not use
    ``optax.masked`` on an aggregator: use ``encoders``.)

    A gradient that is not finite gives an update that is not finite for its encoder and no other,
    and leaves the state of the weighting as it was; so does a loss that is not finite,
    or outside what the method is defined for.

    Args:
      weighting: How the Gramian becomes weights; see :mod:`~mmpareto_jax.weightings`.
      encoders: Encoders by name. By default all parameters are one encoder, called "all".
      num_objectives: The number of objectives where ``encoders`` is None. 2 by default.
      axis_name: Mapped axis, or axes, over which the *parameters* are sharded (in ``shard_map`` or
        ``pmap``), to sum the Gramian over. In ``pmap`` and with ``check_vma=False`` every parameter
        of every encoder must be sharded over it, since a replicated one would count once per
        device. Not needed under ``jit``, nor for data parallelism, where the gradients are averaged
        before they come here.
      average_over: Mapped axis, or axes, of data parallelism whose devices bring the gradients of
        their own part of the batch, as they come out of ``pmap`` and of ``shard_map`` with
        ``check_vma=False``. They, and ``losses``, are averaged here: the objectives' gradients are
        reduce-scattered, the Gramian and the combination computed on the shards, and only the
        combined gradient is gathered. This moves (K + 1) / 2 times the bytes of a uniform step;
        ``average_over`` of :func:`~mmpareto_jax.value_and_objective_grads`, which works in every
        ``shard_map``, K times. Give it to one of the two.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``. Its ``update`` hands keyword arguments on to
      the weighting. ``losses=``, the dict of :func:`~mmpareto_jax.value_and_objective_grads` (or an
      array of shape ``[K]`` where ``encoders`` is None), arrives there as an array of shape ``[K]``
      in the order of the encoder's objectives.

    Raises:
      ValueError: From ``init`` and ``update``, if a prefix matches nothing, a parameter is claimed
        twice, a gradient lacks its leading axis of objectives, ``losses`` lacks an objective, or
        ``shard_map`` has summed gradients over ``average_over`` already, as it does by default.

    Examples:
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import mmpareto_jax as mmp
      >>> encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
      >>> tx = optax.chain(mmp.aggregate(mmp.weightings.min_norm(), encoders), optax.sgd(1.0))
      >>> params = {"net": jnp.zeros(2), "head": jnp.zeros(1)}
      >>> grads = {"net": jnp.array([[1.0, 0.0], [0.0, 1.0]]), "head": jnp.ones(1)}
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates["net"], updates["head"])
      [-1. -1.] [-1.]
    """
    check_weighting(weighting)
    return _per_encoder(weighting, encoders, num_objectives, axis_name, average_over)


def mmpareto(
    encoders: Mapping[str, Encoder] | None = None,
    *,
    gamma: optax.ScalarOrSchedule = 1.5,
    rescale: Literal["encoder", "leaf"] = "encoder",
    num_objectives: int = 2,
    axis_name: AxisName | None = None,
    average_over: AxisName | None = None,
) -> aggregating.Aggregator:
    """Combine each encoder's gradients by MMPareto: a shared direction at an enhanced magnitude.

    Where an encoder's objectives conflict its update points along the min-norm combination of
    their gradients, elsewhere along their sum; its norm is ``gamma`` times the norm of the sum. At
    a Pareto stationary point the update is exactly zero, and
    :func:`~mmpareto_jax.diagnostics` says so. An objective whose gradient is zero takes no part.

    Args:
      encoders: Encoders by name. By default all parameters are one encoder, called "all".
      gamma: The magnitude over the uniform baseline's: a positive number or an optax schedule. 1.5
        by default, as in the paper.
      rescale: "encoder", the paper's rule, by default; "leaf" for the rule of the released code,
        which rescales each parameter tensor by itself, by at least ``gamma``.
      num_objectives: The number of objectives where ``encoders`` is None. 2 by default.
      axis_name: As in :func:`aggregate`.
      average_over: As in :func:`aggregate`.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``; see :func:`aggregate` for how to chain it.

    Raises:
      ValueError: If ``gamma`` is not positive or ``rescale`` is neither; later as
        :func:`aggregate`.

    Examples:
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import mmpareto_jax as mmp
      >>> encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
      >>> tx = optax.chain(mmp.mmpareto(encoders, gamma=1.5), optax.sgd(1.0))
      >>> params = {"net": jnp.zeros(2)}
      >>> grads = {"net": jnp.array([[1.0, 0.0], [-1.0, 1.0]])}
      >>> updates, state = tx.update(grads, tx.init(params), params)
      >>> print(updates["net"].round(3))
      [-0.671 -1.342]

    References:
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, Algorithm 1.
    """
    match rescale:
        case "encoder":
            weighting, tensor_weights = weightings.mmpareto(gamma), None
        case "leaf":
            weighting, tensor_weights = released_direction(gamma), rescale_tensor
        case _:
            raise ValueError(f'rescale must be "encoder" or "leaf", got {rescale!r}')
    return _per_encoder(
        weighting, encoders, num_objectives, axis_name, average_over, tensor_weights
    )


def _per_encoder(
    weighting: Weighting,
    encoders: Mapping[str, Encoder] | None,
    num_objectives: int,
    axis_name: AxisName | None,
    average_over: AxisName | None,
    tensor_weights: Callable[[jax.Array, jax.Array], jax.Array] | None = None,
) -> aggregating.Aggregator:
    """Combine each encoder's gradients with the weights of its Gramian.

    Args:
      weighting: How an encoder's Gramian becomes weights.
      encoders: Encoders by name, or None for one of all parameters.
      num_objectives: The number of objectives where ``encoders`` is None.
      axis_name: Mapped axes over which the parameters are sharded.
      average_over: Mapped axes over which the gradients are averaged: Gramian and combination are
        computed on this device's shard of the mean.
      tensor_weights: From the encoder's weights ``[K]`` and the Gramian ``[K, K]`` of one tensor to
        the weights of that tensor. The encoder's weights by default.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``.
    """
    check_disjoint(axis_name, average_over)
    sharded_over = (*axis_names(axis_name), *axis_names(average_over))

    def aggregator(encoder: Encoder) -> aggregating.Aggregator:
        def init(params: optax.Params) -> EncoderState:
            return initial_state(encoder, weighting, jax.tree.leaves(params))

        def update(
            updates: optax.Updates,
            state: EncoderState,
            params: optax.Params | None = None,
            **extra: Any,
        ) -> tuple[optax.Updates, EncoderState]:
            del params
            check_local(updates, average_over)
            if extra.get("losses") is not None:
                extra["losses"] = average_values(extra["losses"], average_over)
            stacks, structure = jax.tree.flatten(updates)
            shards = [reduce_scatter(stack, average_over) for stack in stacks]
            dtype = state.gramian.dtype
            gramians = [
                sum_over_shards(gramian(shard).astype(dtype), shard, sharded_over)
                for shard in shards
            ]
            total = functools.reduce(jnp.add, gramians)
            state = decide(encoder, weighting, total, state, **extra)
            combined = [
                combine(
                    state.weights if tensor_weights is None else tensor_weights(state.weights, own),
                    shard,
                )
                for own, shard in zip(gramians, shards, strict=True)
            ]
            whole = [
                all_gather(shard, stack.shape[1:], average_over)
                for shard, stack in zip(combined, stacks, strict=True)
            ]
            return jax.tree.unflatten(structure, whole), state

        return aggregating.Aggregator(init, update)  # type: ignore[arg-type]

    return per_encoder(aggregator, encoders, num_objectives, average(average_over))
