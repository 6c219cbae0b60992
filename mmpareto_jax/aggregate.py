"""Weightings to optax aggregators."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.experimental import aggregating

from mmpareto_jax import weightings
from mmpareto_jax.encoders import Encoder
from mmpareto_jax.gramian import accumulation_dtype, combine, gramian
from mmpareto_jax.partition import per_encoder
from mmpareto_jax.released import released_direction, rescale_tensor
from mmpareto_jax.weightings import Weighting

AxisName = str | tuple[str, ...]


class EncoderState(NamedTuple):
    """What one encoder's last step saw and did."""

    gramian: jax.Array  # [K, K] float32 (float64 for float64 parameters), zero before a step
    weights: jax.Array  # [K], same dtype
    weighting: Any  # the weighting's own state


def aggregate(
    weighting: Weighting,
    encoders: Mapping[str, Encoder] | None = None,
    *,
    num_objectives: int = 2,
    axis_name: AxisName | None = None,
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
    and leaves the state of the weighting as it was; so does a loss that is not finite.

    Args:
      weighting: How the Gramian becomes weights; see :mod:`~mmpareto_jax.weightings`.
      encoders: Encoders by name. By default all parameters are one encoder, called "all".
      num_objectives: The number of objectives where ``encoders`` is None. 2 by default.
      axis_name: Mapped axis, or axes, over which the *parameters* are sharded (in ``shard_map`` or
        ``pmap``), to sum the Gramian over; every parameter of every encoder must be sharded over
        it, since a replicated one would count once per device. Not needed under ``jit``, nor for
        data parallelism, where the gradients are averaged before they come here.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``. Its ``update`` hands keyword arguments on to
      the weighting. ``losses=``, the dict of :func:`~mmpareto_jax.value_and_objective_grads` (or an
      array of shape ``[K]`` where ``encoders`` is None), arrives there as an array of shape ``[K]``
      in the order of the encoder's objectives.

    Raises:
      ValueError: From ``init`` and ``update``, if a prefix matches nothing, a parameter is claimed
        twice, a gradient lacks its leading axis of objectives, or ``losses`` lacks an objective.

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
    return per_encoder(
        lambda encoder: _combining(encoder, weighting, axis_name), encoders, num_objectives
    )


def mmpareto(
    encoders: Mapping[str, Encoder] | None = None,
    *,
    gamma: optax.ScalarOrSchedule = 1.5,
    rescale: Literal["encoder", "leaf"] = "encoder",
    num_objectives: int = 2,
    axis_name: AxisName | None = None,
) -> aggregating.Aggregator:
    """MMPareto: a direction all objectives share, at an enhanced magnitude, per encoder.

    Where an encoder's objectives conflict its update points along the min-norm combination of
    their gradients, elsewhere along their sum; its norm is ``gamma`` times the norm of the sum. At
    a Pareto stationary point the update is exactly zero, and
    :func:`~mmpareto_jax.diagnostics` says so.

    Args:
      encoders: Encoders by name. By default all parameters are one encoder, called "all".
      gamma: The magnitude over the uniform baseline's: a positive number or an optax schedule. 1.5
        by default, as in the paper.
      rescale: "encoder", the paper's rule, by default; "leaf" for the rule of the released code,
        which rescales each parameter tensor by itself, by at least ``gamma``.
      num_objectives: The number of objectives where ``encoders`` is None. 2 by default.
      axis_name: As in :func:`aggregate`.

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
    return per_encoder(
        lambda encoder: _combining(encoder, weighting, axis_name, tensor_rule),
        encoders,
        num_objectives,
    )


TensorRule = Callable[[jax.Array, jax.Array], jax.Array]
"""From an encoder's weights and one tensor's Gramian to the weights of that tensor."""


def _keep(weights: jax.Array, gramian: jax.Array) -> jax.Array:
    del gramian
    return weights


def _combining(
    encoder: Encoder,
    weighting: Weighting,
    axis_name: AxisName | None,
    tensor_rule: TensorRule = _keep,
) -> aggregating.Aggregator:
    """Gramian, weights and combination of one encoder."""
    num_objectives = len(encoder.objectives)

    def init(params: optax.Params) -> EncoderState:
        dtype = accumulation_dtype(jax.tree.leaves(params))
        return EncoderState(
            gramian=jnp.zeros((num_objectives, num_objectives), dtype),
            weights=jnp.zeros(num_objectives, dtype),
            # Copies, since a state in which one buffer stands twice cannot be donated.
            weighting=jax.tree.map(jnp.copy, weighting.init(num_objectives)),
        )

    def update(
        updates: optax.Updates,
        state: EncoderState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, EncoderState]:
        del params
        gramians = jax.tree.map(gramian, updates)
        if axis_name is not None:
            gramians = jax.lax.psum(gramians, axis_name)
        total = functools.reduce(jnp.add, jax.tree.leaves(gramians)).astype(state.gramian.dtype)
        if extra.get("losses") is not None:
            extra["losses"] = _in_order(extra["losses"], encoder).astype(total.dtype)
        weights, weighting_state = weighting.update(total, state.weighting, **extra)
        sound = _all_finite((total, extra.get("losses")))
        weighting_state = jax.tree.map(
            functools.partial(jnp.where, sound), weighting_state, state.weighting
        )
        updates = jax.tree.map(
            lambda tensor_gramian, gradient: combine(
                tensor_rule(weights, tensor_gramian.astype(weights.dtype)), gradient
            ),
            gramians,
            updates,
        )
        return updates, EncoderState(total, weights, weighting_state)

    return aggregating.Aggregator(init, update)


def _all_finite(arrays: Any) -> jax.Array:
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(array)) for array in jax.tree.leaves(arrays)]))


def _in_order(losses: Mapping[str, jax.Array] | jax.Array, encoder: Encoder) -> jax.Array:
    """The losses of the encoder's objectives, ``[K]``, in the order of its gradients."""
    if isinstance(losses, Mapping):
        missing = [name for name in encoder.objectives if name not in losses]
        if missing:
            raise ValueError(
                f"losses has no {missing[0]!r}, which trains an encoder; it has {', '.join(losses)}"
            )
        losses = jnp.stack([jnp.asarray(losses[name]) for name in encoder.objectives])
    losses = jnp.asarray(losses)
    if losses.shape != (len(encoder.objectives),):
        raise ValueError(
            f"losses must be scalars by name or an array of shape ({len(encoder.objectives)},), "
            f"got shape {losses.shape}"
        )
    return losses
