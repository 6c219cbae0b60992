"""Optax aggregators, which combine the stacked gradients of each encoder by a weighting."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from optax.experimental import aggregating

from mmpareto_jax import weightings
from mmpareto_jax._decision import EncoderState, decide, initial_state
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
from mmpareto_jax.weightings._weighting import check_weighting


def aggregate(
    weighting: Weighting,
    encoders: Mapping[str, Encoder] | None = None,
    *,
    num_objectives: int = 2,
    axis_name: AxisName | None = None,
    average_over: AxisName | None = None,
) -> aggregating.Aggregator:
    """Apply a weighting to each encoder's stacked gradients.

    Takes the gradients of :func:`~mmpareto_jax.value_and_objective_grads`: an encoder's leaves
    of shape ``[K, *shape]`` are combined with that encoder's weights into leaves ``[*shape]``.
    Leaves in no encoder pass unchanged. The result is shaped like the parameters, so any optax
    transformation may follow in ``optax.chain``. Put ``optax.MultiSteps`` and
    ``optax.apply_if_finite`` after the aggregator, around the rest of the chain: around the
    aggregator itself they would see gradients that are not shaped like the parameters. Do not use
    ``optax.masked`` on an aggregator; use ``encoders`` instead.

    If a gradient is not finite, the update of its encoder, and of no other, is not finite, and the
    state of the weighting does not change. If a loss is not finite or outside the domain of the
    method, the state does not change either, and the update is not finite if the method computes
    its weights from that loss.

    Args:
      weighting: How the Gramian becomes weights; see :mod:`~mmpareto_jax.weightings`.
      encoders: Encoders by name. By default all parameters are one encoder, called "all".
      num_objectives: The number of objectives where ``encoders`` is None. 2 by default.
      axis_name: Mapped axis, or axes, over which the *parameters* are sharded (in ``shard_map`` or
        ``pmap``); the Gramian is summed over it. In ``pmap`` and with ``check_vma=False``, every
        parameter of every encoder must be sharded over it, since a replicated one would count once
        per device. Not needed under ``jit``, nor for data parallelism, where the gradients are
        averaged before they are passed to the aggregator.
      average_over: Mapped axis, or axes, of data parallelism where each device passes the gradients
        of its own part of the batch, as in ``pmap`` and in ``shard_map`` with ``check_vma=False``.
        These gradients, and ``losses``, are averaged here: the objectives' gradients are
        reduce-scattered, the Gramian and the combination are computed on the shards, and only the
        combined gradient is gathered. This sends (K + 1) / 2 times the bytes of a uniform step.
        ``average_over`` of :func:`~mmpareto_jax.value_and_objective_grads`, which works in every
        ``shard_map``, sends K times these bytes. Pass ``average_over`` to only one of the two.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``. Its ``update`` passes keyword arguments on
      to the weighting. ``losses=`` is the dict of :func:`~mmpareto_jax.value_and_objective_grads`
      (or an array of shape ``[K]`` if ``encoders`` is None); the weighting gets it as an array of
      shape ``[K]`` in the order of the encoder's objectives.

    Raises:
      ValueError: From ``init`` and ``update``, if a prefix matches nothing, a parameter is claimed
        twice, a gradient lacks its leading axis of objectives, ``losses`` lacks an objective, or
        ``shard_map`` has already summed gradients over ``average_over``, as it does by default.

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

    If an encoder's objectives conflict, its update points along the min-norm combination of their
    gradients, otherwise along their sum. Its norm is ``gamma`` times the norm of the sum. At a
    Pareto stationary point the update is exactly zero, and :func:`~mmpareto_jax.diagnostics`
    reports it. An objective whose gradient is zero is left out.

    Args:
      encoders: Encoders by name. By default all parameters are one encoder, called "all".
      gamma: The norm of the update relative to that of the sum: a positive number or an optax
        schedule of the step count, which starts at 0. 1.5 by default, as in the paper.
      rescale: "encoder" for the paper's rule, the default; "leaf" for the rule of the released
        code, which rescales each parameter tensor separately, by at least ``gamma``.
      num_objectives: The number of objectives where ``encoders`` is None. 2 by default.
      axis_name: Mapped axis, or axes, over which the parameters are sharded; see
        :func:`aggregate`. None by default.
      average_over: Mapped axis, or axes, of devices over which the gradients are averaged here; see
        :func:`aggregate`. None by default.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``; see :func:`aggregate` for how to chain it.

    Raises:
      ValueError: If ``gamma`` is not positive or ``rescale`` is unknown; from ``init`` and
        ``update``, as for :func:`aggregate`.

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
    """Return an aggregator that combines each encoder's gradients with weights from their Gramian.

    Args:
      weighting: How an encoder's Gramian becomes weights.
      encoders: Encoders by name, or None for one encoder of all parameters.
      num_objectives: The number of objectives where ``encoders`` is None.
      axis_name: Mapped axes over which the parameters are sharded.
      average_over: Mapped axes over which the gradients are averaged: the Gramian and the
        combination are computed on this device's shard of the mean.
      tensor_weights: Function from the encoder's weights ``[K]`` and the Gramian ``[K, K]`` of one
        tensor to the weights of that tensor. By default, all tensors get the encoder's weights.

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
