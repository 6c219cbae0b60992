"""Losses to per-objective gradients."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax import encoders as encoders_lib
from mmpareto_jax.encoders import Encoder


def value_and_objective_grads(
    losses: Callable[..., Any],
    encoders: Mapping[str, Encoder],
    *,
    has_aux: bool = False,
) -> Callable[..., Any]:
    """Like ``jax.value_and_grad``, for several losses at once.

    One forward pass, and for each loss one backward pass through only what it depends on. On a
    late-fusion network with one joint and K unimodal losses that is 5/3 of the cost of a step on
    the summed loss.

    Args:
      losses: Function of ``params`` and further arguments that returns a dict from names to scalar
        losses, or a pair of that dict and auxiliary output where ``has_aux``.
      encoders: Encoders by name. Each of their objectives is a key of that dict; losses in no
        encoder's objectives train the parameters outside the encoders only.
      has_aux: Whether ``losses`` returns auxiliary output (new batch statistics, logits, ...).

    Returns:
      A function of the same arguments that returns ``(values, grads)``, or
      ``((values, aux), grads)`` where ``has_aux``. ``values`` is the dict of losses. ``grads`` is
      shaped like ``params``: a leaf of an encoder with K objectives has shape ``[K, *shape]``, in
      the order of its objectives; every other leaf is the gradient of the sum of all losses.

    Raises:
      ValueError: If the losses are not a dict of real scalars, an objective is no loss, a prefix
        matches nothing or a parameter is claimed twice.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
      >>> def losses(params, x):
      ...     return {"joint": params["head"] * params["net"] * x, "audio": params["net"] ** 2}
      >>> params = {"net": jnp.array(3.0), "head": jnp.array(2.0)}
      >>> values, grads = mmp.value_and_objective_grads(losses, encoders)(params, 1.0)
      >>> print(values["joint"], grads["net"], grads["head"])
      6.0 [2. 6.] 3.0

    References:
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, Algorithm 1.
    """

    def value_and_grads(params: Any, *args: Any, **kwargs: Any) -> Any:
        def values_and_aux(params: Any) -> tuple[Any, Any]:
            output = losses(params, *args, **kwargs)
            values, aux = output if has_aux else (output, None)
            check_losses(values, encoders)
            return dict(values), aux

        values, pushforward, aux = jax.linearize(values_and_aux, params, has_aux=True)
        grads_by_name = {}
        for name, value in values.items():
            pullback = jax.linear_transpose(lambda t, name=name: pushforward(t)[name], params)
            (grads_by_name[name],) = pullback(jnp.ones_like(value))
        grads = stack_objectives(grads_by_name, encoders)
        return ((values, aux) if has_aux else values), grads

    return value_and_grads


def stack_objectives(grads_by_name: Mapping[str, Any], encoders: Mapping[str, Encoder]) -> Any:
    """Stacks whole gradients, one tree per loss, the way an aggregator takes them.

    Args:
      grads_by_name: For each loss its gradient, a tree shaped like the parameters.
      encoders: Encoders by name.

    Returns:
      One tree: a leaf of an encoder with K objectives has shape ``[K, *shape]``, in the order of
      its objectives; every other leaf is the sum over all losses.

    Raises:
      ValueError: If an objective has no gradient, a prefix matches nothing or a parameter is
        claimed twice.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
      >>> joint = {"net": jnp.array(2.0), "head": jnp.array(3.0)}
      >>> audio = {"net": jnp.array(6.0), "head": jnp.array(0.0)}
      >>> grads = mmp.stack_objectives({"joint": joint, "audio": audio}, encoders)
      >>> print(grads["net"], grads["head"])
      [2. 6.] 3.0
    """
    if not grads_by_name:
        raise ValueError("there is no loss")
    _check_objectives(grads_by_name, encoders)
    names = list(grads_by_name)
    labels = encoders_lib.label_parameters(grads_by_name[names[0]], encoders)

    def integrate(label: str, *grads: jax.Array) -> jax.Array:
        if label == encoders_lib.PLAIN:
            return sum(grads[1:], grads[0])
        return jnp.stack([grads[names.index(name)] for name in encoders[label].objectives])

    return jax.tree.map(integrate, labels, *grads_by_name.values())


def check_losses(values: Any, encoders: Mapping[str, Encoder]) -> None:
    """Raises ``ValueError`` for what is not a dict of real scalars with every objective."""
    if not isinstance(values, Mapping):
        raise ValueError(f"losses must return a dict of scalars, got {type(values).__name__}")
    if not values:
        raise ValueError("losses returned an empty dict")
    for name, value in values.items():
        if not jax.tree_util.all_leaves([value]):
            raise ValueError(f"loss {name!r} must be a real scalar, got {type(value).__name__}")
        if jnp.shape(value) != () or not jnp.issubdtype(jnp.result_type(value), jnp.floating):
            raise ValueError(
                f"loss {name!r} must be a real scalar, got "
                f"{jnp.result_type(value)} of shape {jnp.shape(value)}"
            )
    _check_objectives(values, encoders)


def _check_objectives(losses: Mapping[str, Any], encoders: Mapping[str, Encoder]) -> None:
    for name, encoder in encoders.items():
        for objective in encoder.objectives:
            if objective not in losses:
                raise ValueError(
                    f"encoder {name!r}: no loss is called {objective!r}; "
                    f"losses are {', '.join(losses)}"
                )
