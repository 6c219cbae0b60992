"""Gradients of several losses, which for the parameters of an encoder stay apart as rows."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from mmpareto_jax._encoders import (
    PLAIN,
    Encoder,
    check_encoders,
    check_parameters,
    check_same_paths,
    dtype_of,
    label_parameters,
    quoted,
)
from mmpareto_jax._scattered import AxisName, apart, average_gradients, average_values


def value_and_objective_grads(
    losses: Callable[..., Any],
    encoders: Mapping[str, Encoder],
    *,
    has_aux: bool = False,
    average_over: AxisName | None = None,
) -> Callable[..., Any]:
    """Differentiate several losses at once, as ``jax.value_and_grad`` differentiates one.

    This takes one forward pass, and for each loss one backward pass through the part of the network
    that it depends on. On a late-fusion network with one joint loss and one unimodal loss per
    encoder this costs 5/3 of a step on the summed loss.

    Args:
      losses: Function of ``params`` and further arguments that returns a dict from names to scalar
        losses, or a pair of that dict and auxiliary output if ``has_aux`` is True.
      encoders: Encoders by name. Each of their objectives is a key of that dict; losses that are
        not an objective of any encoder train only the parameters outside the encoders.
      has_aux: Whether ``losses`` returns auxiliary output, such as new batch statistics. False by
        default.
      average_over: Mapped axis, or axes, of data parallelism, in ``shard_map`` (with or without
        ``check_vma``) or ``pmap``. Each device computes the losses of its part of the batch, and
        the returned values and gradients are averages over the devices, the same on all of them.
        ``losses`` may average over the axis too; this makes no difference. Auxiliary output is not
        averaged. Parameters are the same on all devices; those that vary over the axis according to
        ``shard_map`` count as shards and get the shards of the gradient. Not needed under ``jit``.

    Returns:
      A function of the same arguments that returns ``(values, grads)``, or
      ``((values, aux), grads)`` if ``has_aux`` is True. ``values`` is the dict of losses. ``grads``
      is shaped like ``params``: a leaf of an encoder with K objectives has shape ``[K, *shape]``,
      in the order of its objectives; every other leaf is the gradient of the sum of all losses.

    Raises:
      ValueError: If the losses are not a dict of real scalars, an objective has no loss, a prefix
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
    check_encoders(encoders)

    def value_and_grads(params: Any, *args: Any, **kwargs: Any) -> Any:
        check_parameters(params)

        def values_and_aux(params: Any) -> tuple[Any, Any]:
            values, aux = checked_losses(losses(params, *args, **kwargs), encoders, has_aux)
            return apart(values, average_over), aux

        own = apart(params, average_over)
        values, pushforward, aux = jax.linearize(values_and_aux, own, has_aux=True)
        grads_by_name = {}
        for name, value in values.items():
            pullback = jax.linear_transpose(lambda t, name=name: pushforward(t)[name], own)
            (grads_by_name[name],) = pullback(jnp.ones_like(value))
        grads = average_gradients(stack_objectives(grads_by_name, encoders), params, average_over)
        values = average_values(values, average_over)
        return ((values, aux) if has_aux else values), grads

    return value_and_grads


def stack_objectives(grads_by_name: Mapping[str, Any], encoders: Mapping[str, Encoder]) -> Any:
    """Stack complete gradients, one tree per loss, into the form that an aggregator takes.

    Args:
      grads_by_name: The gradient of each loss, a tree shaped like the parameters.
      encoders: Encoders by name.

    Returns:
      One tree: a leaf of an encoder with K objectives has shape ``[K, *shape]``, in the order of
      its objectives; every other leaf is the sum over all losses.

    Raises:
      ValueError: If an objective has no gradient, a gradient is not an array, the gradients of a
        parameter differ in shape, a prefix matches nothing or a parameter is claimed twice.

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
    check_encoders(encoders)
    if not grads_by_name:
        raise ValueError("there are no losses")
    first, *others = grads_by_name
    for other in others:
        check_same_paths(
            grads_by_name[first],
            grads_by_name[other],
            f"the gradient of {first!r}",
            f"that of {other!r}",
        )
    for name, tree in grads_by_name.items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            dtype_of(leaf, f"the gradient of {name!r} for {quoted(path)}")
    _check_objectives(grads_by_name, encoders)
    names = list(grads_by_name)
    labels = label_parameters(grads_by_name[names[0]], encoders)

    def integrate(path: Any, label: str, *grads: jax.Array) -> jax.Array:
        shapes = list(map(jnp.shape, grads))
        if len(set(shapes)) > 1:
            raise ValueError(
                f"the gradients of {quoted(path)} have shapes {shapes}, expected one shape"
            )
        if label == PLAIN:
            return sum(grads[1:], grads[0])
        return jnp.stack([grads[names.index(name)] for name in encoders[label].objectives])

    return jax.tree_util.tree_map_with_path(integrate, labels, *grads_by_name.values())


def checked_losses(
    output: Any, encoders: Mapping[str, Encoder], has_aux: bool
) -> tuple[dict[str, jax.Array], Any]:
    """Check what a user's function of losses returned, and split off the auxiliary output.

    Args:
      output: A dict of scalar losses by name, or a pair of it and auxiliary output if ``has_aux``.
      encoders: Encoders by name, each of whose objectives must be the name of a loss.
      has_aux: Whether there is auxiliary output.

    Returns:
      The losses by name, and the auxiliary output, None if ``has_aux`` is False.

    Raises:
      ValueError: If the output is not a dict of real scalars with every objective, or, with
        ``has_aux``, not a pair of such a dict and auxiliary output.
    """
    if has_aux and not (isinstance(output, tuple) and len(output) == 2):
        raise ValueError(
            "has_aux=True: losses must return a pair (dict of scalars, auxiliary output), got "
            f"{kind(output)}"
        )
    values, aux = output if has_aux else (output, None)
    if not isinstance(values, Mapping):
        raise ValueError(f"losses must return a dict of scalars, got {kind(values)}")
    if not values:
        raise ValueError("losses returned an empty dict")
    for name, value in values.items():
        if not jax.tree_util.all_leaves([value]) or isinstance(value, str):
            raise ValueError(f"loss {name!r} must be a real scalar, got {type(value).__name__}")
        if jnp.shape(value) != () or not jnp.issubdtype(jnp.result_type(value), jnp.floating):
            raise ValueError(
                f"loss {name!r} must be a real scalar, got "
                f"{jnp.result_type(value)} of shape {jnp.shape(value)}"
            )
    _check_objectives(values, encoders)
    return dict(values), aux


def kind(output: Any) -> str:
    """Describe the type of what a user's function returned, for an error message.

    Examples:
      >>> kind({}), kind((1, 2))
      ('dict', 'tuple of 2')
    """
    size = f" of {len(output)}" if isinstance(output, tuple | list) else ""
    return f"{type(output).__name__}{size}"


def _check_objectives(losses: Mapping[str, Any], encoders: Mapping[str, Encoder]) -> None:
    for name, encoder in encoders.items():
        for objective in encoder.objectives:
            if objective not in losses:
                raise ValueError(
                    f"encoder {name!r}: no loss is called {objective!r}; "
                    f"losses are {', '.join(map(str, losses))}"
                )
