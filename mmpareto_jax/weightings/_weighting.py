"""The type :class:`Weighting`, and functions that several weightings share."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from mmpareto_jax._hyper_parameters import as_real


class Weighting(NamedTuple):
    """A pair of pure functions that turn a Gramian into the weights of the objectives.

    Attributes:
      init: ``init(num_objectives) -> state``, a pytree of fixed shapes and dtypes.
      update: ``update(gramian, state, **extra) -> (weights, state)`` with ``gramian`` of shape
        ``[K, K]`` and ``weights`` of shape ``[K]``, both float32 or both float64. ``extra`` holds
        the keyword arguments of ``tx.update``; ``losses`` is an array of shape ``[K]`` in the order
        of the Gramian. A weighting ignores keyword arguments that it does not need.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.min_norm()
      >>> weights, state = weighting.update(jnp.diag(jnp.array([1.0, 3.0])), weighting.init(2))
      >>> print(weights)
      [1.5 0.5]
    """

    init: Callable[[int], Any]
    update: Callable[..., tuple[jax.Array, Any]]


def check_weighting(weighting: Any) -> None:
    """Raise ``ValueError`` for anything but a weighting, such as a factory that was not called."""
    if not (hasattr(weighting, "init") and hasattr(weighting, "update")):
        called = (
            f": call it, {weighting.__name__}()"
            if callable(weighting) and hasattr(weighting, "__name__")
            else ""
        )
        raise ValueError(f"weighting must be a Weighting, got {type(weighting).__name__}{called}")


def stateless(weights: Callable[[jax.Array], jax.Array]) -> Weighting:
    """Make a weighting without state from a function of the Gramian.

    Args:
      weights: Function from the Gramian ``[K, K]`` to the weights ``[K]``.
    """

    def init(num_objectives: int) -> tuple[()]:
        del num_objectives
        return ()

    def update(gramian: jax.Array, state: tuple[()], **extra: Any) -> tuple[jax.Array, tuple[()]]:
        del extra
        return weights(gramian), state

    return Weighting(init, update)


def next_step(step: jax.Array) -> jax.Array:
    """Return a step count ``()`` plus one; the largest integer of its dtype stays as it is."""
    return jnp.asarray(optax.safe_increment(step))


def require_losses(losses: jax.Array | None, method: str) -> jax.Array:
    """Return the losses, or raise ``ValueError`` with a hint how to pass them.

    Args:
      losses: The losses, ``[K]``, or None if the user passed none.
      method: The name of the weighting, for the error message.

    Raises:
      ValueError: If ``losses`` is None.
    """
    if losses is None:
        raise ValueError(f"{method} needs the losses: tx.update(grads, state, params, losses=...)")
    return losses


def log_losses(losses: jax.Array | None, method: str) -> jax.Array:
    """Return the logarithms of the losses: minus infinity for zero, NaN for a negative loss.

    Args:
      losses: The losses, ``[K]``, or None if the user passed none.
      method: The name of the weighting, for the error message.

    Raises:
      ValueError: If ``losses`` is None.
    """
    return jnp.log(require_losses(losses, method))


PerObjective = Sequence[float] | jax.Array
"""One number for each objective, ``[K]``."""


def per_objective(values: PerObjective, name: str, num_objectives: int) -> jax.Array:
    """Return the values as an array of shape ``[K]``.

    Args:
      values: One number for each objective.
      name: How the error message calls the values.
      num_objectives: The number K of objectives.

    Raises:
      ValueError: If there is not one value for each objective.
    """
    array = jnp.asarray(values)
    if array.shape != (num_objectives,):
        raise ValueError(f"{name} has shape {array.shape}, expected ({num_objectives},)")
    return array


def with_preference(
    weights: Callable[[jax.Array, jax.Array], jax.Array], preference: PerObjective | None
) -> Weighting:
    """Make a weighting without state from a function of the Gramian and a preference.

    Args:
      weights: Function from the Gramian ``[K, K]`` and the preference ``[K]`` to weights ``[K]``.
      preference: Weights of the objectives, ``[K]``; None for 1 / K each. The ``init`` of the
        weighting raises ``ValueError`` if there are not K of them.
    """

    def init(num_objectives: int) -> tuple[()]:
        if preference is not None:
            per_objective(preference, "preference", num_objectives)
        return ()

    def update(gramian: jax.Array, state: tuple[()], **extra: Any) -> tuple[jax.Array, tuple[()]]:
        del extra
        even = jnp.full(gramian.shape[0], 1 / gramian.shape[0])
        chosen = even if preference is None else preference
        return weights(gramian, as_real(chosen, gramian.dtype)), state

    return Weighting(init, update)
