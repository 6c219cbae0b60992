"""Weightings to optax aggregators."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
import optax
from optax.experimental import aggregating

from mmpareto_jax import weightings
from mmpareto_jax.decision import EncoderState, check_weighting, decide, initial_state
from mmpareto_jax.encoders import Encoder
from mmpareto_jax.gramian import combine, gramian
from mmpareto_jax.partition import per_encoder
from mmpareto_jax.released import released_direction, rescale_tensor
from mmpareto_jax.scattered import (
    AxisName,
    all_gather,
    average,
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
    """Applies a weighting to each encoder's stacked gradients.

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
    """MMPareto: a direction all objectives share, at an enhanced magnitude, per encoder.

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
            weighting, tensor_rule = weightings.mmpareto(gamma), _keep
        case "leaf":
            weighting, tensor_rule = released_direction(gamma), rescale_tensor
        case _:
            raise ValueError(f'rescale must be "encoder" or "leaf", got {rescale!r}')
    return _per_encoder(weighting, encoders, num_objectives, axis_name, average_over, tensor_rule)


TensorRule = Callable[[jax.Array, jax.Array], jax.Array]
"""From an encoder's weights and one tensor's Gramian to the weights of that tensor."""


def _keep(weights: jax.Array, gramian: jax.Array) -> jax.Array:
    del gramian
    return weights


def _per_encoder(
    weighting: Weighting,
    encoders: Mapping[str, Encoder] | None,
    num_objectives: int,
    axis_name: AxisName | None,
    average_over: AxisName | None,
    tensor_rule: TensorRule = _keep,
) -> aggregating.Aggregator:
    """Whole tensors, or shards of them where the devices' gradients are still to be averaged."""
    check_disjoint(axis_name, average_over)
    sharded_over = (*axis_names(axis_name), *axis_names(average_over))

    def combining(encoder: Encoder) -> aggregating.Aggregator:
        whole = _combining(encoder, weighting, sharded_over, tensor_rule)
        return whole if average_over is None else _on_shards(whole, average_over)

    plain = None if average_over is None else average(average_over)
    return per_encoder(combining, encoders, num_objectives, plain)


def _on_shards(whole: aggregating.Aggregator, axis_name: AxisName) -> aggregating.Aggregator:
    """The aggregator, given shards of the averaged gradients, and its result gathered."""

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, Any]:
        del params
        check_local(updates, axis_name)
        if extra.get("losses") is not None:
            extra["losses"] = jax.lax.pmean(extra["losses"], axis_name)
        shards = jax.tree.map(functools.partial(reduce_scatter, axis_name=axis_name), updates)
        combined, state = whole.update(shards, state, **extra)
        return jax.tree.map(
            lambda shard, stack: all_gather(shard, stack.shape[1:], axis_name), combined, updates
        ), state

    return aggregating.Aggregator(whole.init, update)


def _combining(
    encoder: Encoder,
    weighting: Weighting,
    sharded_over: tuple[str, ...],
    tensor_rule: TensorRule,
) -> aggregating.Aggregator:
    """Gramian, weights and combination of one encoder."""

    def init(params: optax.Params) -> EncoderState:
        return initial_state(encoder, weighting, jax.tree.leaves(params))

    def update(
        updates: optax.Updates,
        state: EncoderState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, EncoderState]:
        del params
        dtype = state.gramian.dtype
        gramians = jax.tree.map(
            lambda gradient: sum_over_shards(
                gramian(gradient).astype(dtype), gradient, sharded_over
            ),
            updates,
        )
        total = functools.reduce(jnp.add, jax.tree.leaves(gramians))
        state = decide(encoder, weighting, total, state, **extra)
        updates = jax.tree.map(
            lambda tensor_gramian, gradient: combine(
                tensor_rule(state.weights, tensor_gramian), gradient
            ),
            gramians,
            updates,
        )
        return updates, state

    return aggregating.Aggregator(init, update)
