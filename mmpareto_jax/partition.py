"""One aggregator for each encoder, and the plain gradient for every other parameter."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.experimental import aggregating

from mmpareto_jax.encoders import (
    PLAIN,
    Encoder,
    check_encoders,
    check_same_paths,
    label_parameters,
)
from mmpareto_jax.gradients import kind
from mmpareto_jax.hyper_parameters import check_count


class AggregateState(NamedTuple):
    """State of an aggregator; read it with :func:`~mmpareto_jax.diagnostics`."""

    partition: optax.transforms.PartitionState


def per_encoder(
    make: Callable[[Encoder], aggregating.Aggregator],
    encoders: Mapping[str, Encoder] | None,
    num_objectives: int,
    plain: optax.GradientTransformation | None = None,
) -> aggregating.Aggregator:
    """Applies to each encoder's stacked gradients the aggregator made for it.

    Args:
      make: From an encoder to the aggregator of its gradients, which is given that encoder's
        leaves and no others.
      encoders: Encoders by name; None for one encoder, called "all", of all parameters.
      num_objectives: The number of objectives where ``encoders`` is None.
      plain: What happens to the gradients of parameters in no encoder. By default nothing.

    Returns:
      An ``optax.experimental.aggregating.Aggregator``.

    Raises:
      ValueError: From ``init`` and ``update``, if a prefix matches nothing, a parameter is claimed
        twice, or a gradient lacks its leading axis of objectives.
    """
    if encoders is None:
        check_count("num_objectives", num_objectives, 1)
        objectives = tuple(f"objective {i}" for i in range(num_objectives))
        encoders = {"all": Encoder(params=lambda path: True, objectives=objectives)}
    check_encoders(encoders)
    groups = {name: _checked(name, encoder, make(encoder)) for name, encoder in encoders.items()}
    inner = optax.partition(
        {**groups, PLAIN: plain or optax.identity()},
        # optax.tree_map_params calls init with a tree that has no leaves.
        lambda tree: label_parameters(tree, encoders) if jax.tree.leaves(tree) else tree,
    )

    def init(params: optax.Params) -> AggregateState:
        return AggregateState(inner.init(params))

    def update(
        updates: optax.Updates,
        state: AggregateState,
        params: optax.Params | None = None,
        **extra: Any,
    ) -> tuple[optax.Updates, AggregateState]:
        label_parameters(updates, encoders)  # for its errors, where there is no leaf at all
        if params is not None:
            check_same_paths(params, updates, "the tree of parameters", "that of gradients")
            _check_plain(updates, params, encoders)
        if not isinstance(state, AggregateState):
            raise ValueError(f"update takes the state of init, got {kind(state)} for it")
        updates, partition = inner.update(updates, state.partition, params, **extra)
        return updates, AggregateState(partition)

    return aggregating.Aggregator(init, update)


def _checked(
    name: str, encoder: Encoder, aggregator: aggregating.Aggregator
) -> aggregating.Aggregator:
    """The aggregator, after a look at the shapes of what it is given."""

    def update(
        updates: optax.Updates, state: Any, params: optax.Params | None = None, **extra: Any
    ) -> tuple[optax.Updates, Any]:
        _check_leading_axis(name, encoder, updates, params)
        return aggregator.update(updates, state, params, **extra)

    return aggregating.Aggregator(aggregator.init, update)


def _check_plain(updates: Any, params: Any, encoders: Mapping[str, Encoder]) -> None:
    """Raises ``ValueError`` for a gradient of no encoder that is not shaped like its parameter."""
    shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(params)]
    labels = jax.tree.leaves(label_parameters(updates, encoders))
    leaves = jax.tree_util.tree_leaves_with_path(updates)
    for (path, leaf), label, shape in zip(leaves, labels, shapes, strict=True):
        if label == PLAIN and jnp.shape(leaf) != shape:
            where = jax.tree_util.keystr(path, simple=True, separator="/")
            raise ValueError(
                f"the gradient of {where!r} has shape {jnp.shape(leaf)}, expected {shape}, since "
                "no encoder has it"
            )


def _check_leading_axis(name: str, encoder: Encoder, updates: Any, params: Any) -> None:
    leaves = jax.tree_util.tree_leaves_with_path(updates)
    shapes = (
        [None] * len(leaves) if params is None else list(map(jnp.shape, jax.tree.leaves(params)))
    )
    num_objectives = len(encoder.objectives)
    for (path, leaf), shape in zip(leaves, shapes, strict=True):
        if not hasattr(leaf, "dtype"):
            where = jax.tree_util.keystr(path, simple=True, separator="/")
            raise ValueError(
                f"encoder {name!r}: the gradient of {where!r} is a {type(leaf).__name__}, "
                "expected an array"
            )
        if not jnp.issubdtype(leaf.dtype, jnp.inexact):
            where = jax.tree_util.keystr(path, simple=True, separator="/")
            raise ValueError(
                f"encoder {name!r}: the gradient of {where!r} is of type {leaf.dtype}, expected "
                "floating-point numbers"
            )
        expected = leaf.shape[:1] == (num_objectives,)
        if not expected or (shape is not None and leaf.shape[1:] != shape):
            where = jax.tree_util.keystr(path, simple=True, separator="/")
            wanted = "*shape" if shape is None else ", ".join(map(str, shape))
            raise ValueError(
                f"encoder {name!r}: the gradient of {where!r} has shape {leaf.shape}, expected "
                f"({num_objectives}, {wanted}), one row per objective"
            )
