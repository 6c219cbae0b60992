"""Diagnostics of the last step, read from the state of an aggregator."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mmpareto_jax._decision import EncoderState
from mmpareto_jax._integrate import IntegrateState
from mmpareto_jax._partition import AggregateState
from mmpareto_jax.solvers import is_stationary, nearest_of_nonzero


class Diagnostics(NamedTuple):
    """Diagnostics of one encoder with K objectives in the last step, as arrays.

    Attributes:
      gramian: ``[K, K]``, inner products of the objectives' gradients.
      cosine: ``()``, the smallest cosine between two objectives' gradients. A cosine with a zero
        gradient counts as 0; for a single objective the value is 1.
      norms: ``[K]``, norms of the gradients.
      weights: ``[K]``, the weights with which the gradients were combined.
      scale: ``()``, the mean weight: 1 for the uniform baseline, gamma times lambda for MMPareto.
      conflict: ``()`` bool, whether two gradients have a negative inner product.
      stationary: ``()`` bool, whether a convex combination of the gradients that are not zero is
        zero to working precision (Pareto stationarity), or all gradients are zero. A zero gradient
        among others does not make it true: :func:`~mmpareto_jax.mmpareto` leaves it out.
    """

    gramian: jax.Array
    cosine: jax.Array
    norms: jax.Array
    weights: jax.Array
    scale: jax.Array
    conflict: jax.Array
    stationary: jax.Array


def diagnostics(opt_state: Any) -> dict[str, Diagnostics]:
    """Read every encoder's diagnostics from an optimizer state.

    The aggregator may be anywhere in the chain. This function is pure and can be jitted; under
    ``jit`` it costs nothing unless its results are used.

    Args:
      opt_state: The state of an optax optimizer that contains an aggregator of this library, or of
        an :class:`~mmpareto_jax.Integrator`, after at least one update (before the first update all
        gradients count as zero).

    Returns:
      The :class:`Diagnostics` of each encoder. The coordinate-wise aggregators
      (:func:`~mmpareto_jax.grad_drop`, :func:`~mmpareto_jax.trimmed_mean`) compute no Gramian, so
      their encoders are left out.

    Raises:
      ValueError: If the state contains no aggregator, or several with encoders of the same name.

    Examples:
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import mmpareto_jax as mmp
      >>> encoders = {"net": mmp.Encoder(params="net", objectives=("joint", "audio"))}
      >>> tx = optax.chain(mmp.mmpareto(encoders), optax.sgd(0.1, momentum=0.9))
      >>> params = {"net": jnp.zeros(2)}
      >>> grads = {"net": jnp.array([[3.0, 4.0], [0.0, -1.0]])}
      >>> _, state = tx.update(grads, tx.init(params), params)
      >>> net = mmp.diagnostics(state)["net"]
      >>> print(net.cosine, net.norms, net.conflict)
      -0.8 [5. 1.] True
    """
    ours = (AggregateState, IntegrateState)
    nodes = jax.tree.leaves(opt_state, is_leaf=lambda node: isinstance(node, ours))
    states = [_encoder_states(node) for node in nodes if isinstance(node, ours)]
    if not states:
        raise ValueError("the optimizer state contains no aggregator of mmpareto_jax")
    found: dict[str, Diagnostics] = {}
    for encoders in states:
        for name, state in encoders.items():
            if isinstance(state, EncoderState):
                if name in found:
                    raise ValueError(f"several aggregators have an encoder called {name!r}")
                found[name] = _read(state)
    return found


def _encoder_states(state: AggregateState | IntegrateState) -> dict[str, Any]:
    if isinstance(state, IntegrateState):
        return state.encoders
    masked: Mapping[Any, Any] = state.partition.inner_states
    return {name: each.inner_state for name, each in masked.items()}


def _read(state: EncoderState) -> Diagnostics:
    gramian, weights = jnp.asarray(state.gramian), jnp.asarray(state.weights)
    norms = jnp.sqrt(jnp.diagonal(gramian))
    products = norms[:, None] * norms[None, :]
    cosines = jnp.where(products == 0, 0, gramian / jnp.where(products == 0, 1, products))
    pairs = jnp.triu(jnp.ones_like(gramian, bool), k=1)
    return Diagnostics(
        gramian=gramian,
        cosine=jnp.min(cosines, where=pairs, initial=1),
        norms=norms,
        weights=weights,
        scale=jnp.mean(weights),
        conflict=jnp.any(gramian < 0),
        stationary=is_stationary(gramian, nearest_of_nonzero(gramian)),
    )
