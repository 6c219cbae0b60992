"""Combining the gradients of several losses without storing each of them.

The weighting decides the result. The strategy decides how it is computed: "stacked" and "gramian"
are exact, at different costs in time and memory, and "features" is a cheaper approximation.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import jax

from mmpareto_jax import strategies
from mmpareto_jax._decision import EncoderState, decide, initial_state
from mmpareto_jax._encoders import (
    Encoder,
    check_encoders,
    check_parameters,
    label_parameters,
)
from mmpareto_jax._gradients import checked_losses
from mmpareto_jax._gramian import gramian
from mmpareto_jax._scattered import AxisName, apart, check_disjoint, sum_over_shards
from mmpareto_jax.strategies import Features
from mmpareto_jax.strategies._strategy import select
from mmpareto_jax.weightings import Weighting
from mmpareto_jax.weightings._weighting import check_weighting


class IntegrateState(NamedTuple):
    """State of an :class:`Integrator`; read it with :func:`~mmpareto_jax.diagnostics`.

    Attributes:
      encoders: The state of each encoder, by name.
    """

    encoders: dict[str, EncoderState]


class Integrator(NamedTuple):
    """A pair of pure functions that compute one combined gradient of several losses.

    Attributes:
      init: ``init(params) -> state``.
      value_and_grad: ``value_and_grad(params, state, *args, **kwargs) -> (values, grads, state)``,
        or ``((values, aux), grads, state)`` with ``has_aux=True``. ``values`` is the dict of losses
        and ``grads`` is shaped like ``params``; further arguments are passed to the losses.
    """

    init: Callable[[Any], IntegrateState]
    value_and_grad: Callable[..., tuple[Any, Any, IntegrateState]]


def integrate(
    losses: Callable[..., Any] | Features,
    encoders: Mapping[str, Encoder],
    weighting: Weighting,
    *,
    strategy: Literal["stacked", "gramian", "features"] = "stacked",
    has_aux: bool = False,
    axis_name: AxisName | None = None,
    average_over: AxisName | None = None,
) -> Integrator:
    """Turn several losses into functions that compute one combined gradient ("integrate" them).

    That is an ordinary gradient, without an axis of objectives, for any optimizer: combined by the
    weighting for parameters of an encoder, the gradient of the sum of the losses for others. The
    losses are passed to the weighting. The strategies differ in cost:

    ============  =======  ========================================  =========================
    strategy      exact    backward passes                           memory for gradients
    ============  =======  ========================================  =========================
    "stacked"     yes      one per loss                              K per encoder
    "gramian"     yes      one per loss, and one per encoder         one, and K of one tensor
    "features"    no       one; through the heads one per loss       one, and K of features
    ============  =======  ========================================  =========================

    Args:
      losses: Function of ``params`` and further arguments that returns a dict of scalar losses, or
        a pair of that dict and auxiliary output; for "features" a :class:`Features`.
      encoders: Encoders by name.
      weighting: How an encoder's Gramian becomes weights.
      strategy: "stacked" by default. "features" is an approximation: see
        :func:`~mmpareto_jax.strategies.features`.
      has_aux: Whether ``losses`` returns auxiliary output, False by default.
      axis_name: Mapped axis, or axes, over which the encoders' *parameters* are sharded, as in
        :func:`~mmpareto_jax.aggregate`. Not needed under ``jit``.
      average_over: Mapped axis, or axes, of data parallelism, in ``shard_map`` (with or without
        ``check_vma``) or ``pmap``, as in :func:`~mmpareto_jax.value_and_objective_grads`. Values,
        gradient and state are those of the whole batch, the same on all devices. With "features",
        each device encodes its own part of the batch. Not needed under ``jit``.

    Returns:
      An :class:`Integrator`.

    Raises:
      ValueError: If ``strategy`` is unknown or does not fit ``losses``; from ``value_and_grad``, as
        for :func:`~mmpareto_jax.value_and_objective_grads`.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
      >>> def losses(params, x):
      ...     return {"joint": params["head"] * params["net"] * x, "audio": params["net"] ** 2}
      >>> integrator = mmp.integrate(losses, encoders, mmp.weightings.mmpareto())
      >>> params = {"net": jnp.array(3.0), "head": jnp.array(2.0)}
      >>> values, grads, state = integrator.value_and_grad(params, integrator.init(params), 1.0)
      >>> print(grads["net"], grads["head"], mmp.diagnostics(state)["net"].conflict)
      12.0 3.0 False

    References:
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024;
      Sener & Koltun, `Multi-task learning as multi-objective optimization
      <https://arxiv.org/abs/1810.04650>`_, 2018.
    """
    if strategy not in ("stacked", "gramian", "features"):
        raise ValueError(f'strategy must be "stacked", "gramian" or "features", got {strategy!r}')
    if isinstance(losses, Features) != (strategy == "features"):
        raise ValueError(
            'strategy "features" takes losses=Features(encode, losses), the others a function'
        )

    check_encoders(encoders)
    check_weighting(weighting)
    check_disjoint(axis_name, average_over)

    def init(params: Any) -> IntegrateState:
        labels = jax.tree.leaves(label_parameters(params, encoders))
        leaves = jax.tree.leaves(params)
        return IntegrateState(
            {
                name: initial_state(encoder, weighting, select(labels, name, leaves))
                for name, encoder in encoders.items()
            }
        )

    def value_and_grad(
        params: Any, state: IntegrateState, *args: Any, **kwargs: Any
    ) -> tuple[Any, Any, IntegrateState]:
        check_parameters(params)
        if not isinstance(state, IntegrateState):
            raise ValueError(
                "value_and_grad takes the parameters, the state from init and then the arguments "
                f"of the losses; got {type(state).__name__} for the state"
            )

        def decided(
            name: str, rows: Sequence[jax.Array], values: Mapping[str, jax.Array]
        ) -> EncoderState:
            dtype = state.encoders[name].gramian.dtype
            gramians = [
                sum_over_shards(
                    sum_over_shards(gramian(row).astype(dtype), row, axis_name),
                    row,
                    average_over,
                    untracked=strategy == "features",
                )
                for row in rows
            ]
            total = sum(gramians[1:], gramians[0])
            return decide(
                encoders[name], weighting, total, state.encoders[name], losses=dict(values)
            )

        def checked(function: Callable[..., Any], *inputs: Any) -> tuple[Any, Any]:
            values, aux = checked_losses(function(*inputs, *args, **kwargs), encoders, has_aux)
            return apart(values, average_over), aux

        match losses:
            case Features(encode, from_features):
                run = strategies.features(
                    lambda params: encode(params, *args, **kwargs),
                    partial(checked, from_features),
                    encoders,
                    decided,
                    average_over,
                )
            case _:
                make = strategies.stacked if strategy == "stacked" else strategies.gramian
                run = make(partial(checked, losses), encoders, decided, average_over)
        values, aux, grads, states = run(params)
        return ((values, aux) if has_aux else values), grads, IntegrateState(states)

    return Integrator(init, value_and_grad)
