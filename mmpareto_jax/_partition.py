"""Apply one aggregator per encoder; all other parameters keep their plain gradients."""

from collections.abc import Callable, Hashable, Mapping
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import optax
from optax.experimental import aggregating

from mmpareto_jax._encoders import (
    PLAIN,
    Encoder,
    check_encoders,
    check_same_paths,
    dtype_of,
    label_parameters,
    quoted,
)
from mmpareto_jax._gradients import kind
from mmpareto_jax._hyper_parameters import check_count


class AggregateState(NamedTuple):
    """State of an aggregator; read it with :func:`~mmpareto_jax.diagnostics`.

    Attributes:
      partition: The state of ``optax.partition``, which holds each encoder's state by name.
    """

    partition: optax.transforms.PartitionState


def per_encoder(
    make: Callable[[Encoder], aggregating.Aggregator],
    encoders: Mapping[str, Encoder] | None,
    num_objectives: int,
    plain: optax.GradientTransformation | None = None,
) -> aggregating.Aggregator:
    """Return an aggregator that applies one of its own to the stacked gradients of each encoder.

    Args:
      make: Function from an encoder to its aggregator, which gets only that encoder's leaves.
      encoders: Encoders by name, or None for one encoder, called "all", of all parameters.
      num_objectives: The number of objectives where ``encoders`` is None.
      plain: Transformation of the gradients of parameters in no encoder; by default they pass
        unchanged.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``.

    Raises:
      ValueError: From ``init`` and ``update``, if a prefix matches nothing, a parameter is claimed
        twice, a leaf is not an array, or a gradient lacks its leading axis of objectives. ``init``
        takes a tree without leaves, which ``optax.tree_map_params`` passes.
    """
    if encoders is None:
        check_count("num_objectives", num_objectives, 1)
        objectives = tuple(f"objective {i}" for i in range(num_objectives))
        encoders = {"all": Encoder(params=lambda path: True, objectives=objectives)}
    check_encoders(encoders)
    transforms: dict[Hashable, optax.GradientTransformation] = {
        **{name: make(encoder) for name, encoder in encoders.items()},
        PLAIN: plain or optax.identity(),
    }

    def init(params: optax.Params) -> AggregateState:
        for path, leaf in jax.tree_util.tree_leaves_with_path(params):
            if not isinstance(leaf, jax.ShapeDtypeStruct):
                dtype_of(leaf, f"parameter {quoted(path)}")
        # optax.tree_map_params calls init with a tree that has no leaves.
        labels = label_parameters(params, encoders) if jax.tree.leaves(params) else params
        partition = optax.partition(transforms, labels).init(params)
        return AggregateState(cast(optax.transforms.PartitionState, partition))

    def update(
        updates: optax.Updates,
        state: AggregateState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, AggregateState]:
        labels = label_parameters(updates, encoders)
        if params is not None:
            check_same_paths(params, updates, "the tree of parameters", "the tree of gradients")
        if not isinstance(state, AggregateState):
            raise ValueError(f"update takes the state from init, got {kind(state)}")
        check_gradients(encoders, labels, updates, params)
        updates = jax.tree.map(jnp.asarray, updates)  # NumPy's may be float64
        updates, partition = optax.partition(transforms, labels).update(
            updates, state.partition, params, **extra
        )
        return updates, AggregateState(cast(optax.transforms.PartitionState, partition))

    return aggregating.Aggregator(init, update)  # type: ignore[arg-type]


def check_gradients(
    encoders: Mapping[str, Encoder], labels: Any, updates: Any, params: Any
) -> None:
    """Check that leaves of an encoder have one row per objective, and other leaves one gradient.

    Args:
      encoders: Encoders by name.
      labels: The name of each leaf's encoder, a tree with the structure of ``updates``.
      updates: The gradients: leaves ``[K, *shape]`` in an encoder, otherwise ``[*shape]``.
      params: The parameters, or None if they are unknown; then ``shape`` may be any.

    Raises:
      ValueError: If a gradient is not a floating-point array, has another shape, or is complex for
        a real parameter.
    """
    leaves = jax.tree_util.tree_leaves_with_path(updates)
    trained = [None] * len(leaves) if params is None else jax.tree.leaves(params)
    for (path, leaf), name, param in zip(leaves, jax.tree.leaves(labels), trained, strict=True):
        gradient = f"the gradient of {quoted(path)}"
        if name != PLAIN:
            gradient = f"encoder {name!r}: {gradient}"
        _check_numbers(gradient, leaf, param)
        shape = None if param is None else jnp.shape(param)
        if name == PLAIN:
            if shape not in (None, jnp.shape(leaf)):
                raise ValueError(
                    f"{gradient} has shape {jnp.shape(leaf)}, expected {shape}, "
                    "since it is in no encoder"
                )
            continue
        rows = len(encoders[name].objectives)
        if jnp.shape(leaf)[:1] != (rows,) or (shape is not None and leaf.shape[1:] != shape):
            wanted = f"({rows}, *shape)" if shape is None else str((rows, *shape))
            raise ValueError(
                f"{gradient} has shape {jnp.shape(leaf)}, expected {wanted}, one row per objective"
            )


def _check_numbers(gradient: str, leaf: Any, param: Any) -> None:
    """Raise ``ValueError`` for a gradient whose type does not fit its parameter.

    Args:
      gradient: How the error message calls the gradient.
      leaf: The gradient, which must be of floating-point or complex type.
      param: Its parameter, which must be complex if the gradient is; None if it is unknown.
    """
    dtype = dtype_of(leaf, gradient)
    if not jnp.issubdtype(dtype, jnp.inexact):
        name = "float0" if dtype == jax.dtypes.float0 else dtype
        raise ValueError(f"{gradient} is of type {name}, expected floating-point numbers")
    if jnp.iscomplexobj(leaf) and param is not None and not jnp.iscomplexobj(param):
        raise ValueError(
            f"{gradient} is of type {dtype}, but its parameter is of type "
            f"{jnp.result_type(param)}: an update would lose the imaginary part"
        )
