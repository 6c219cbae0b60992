"""Running means over the steps of each objective's gradient, as in MoCo."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from optax.experimental import aggregating

from mmpareto_jax._encoders import Encoder, check_same_paths, quoted
from mmpareto_jax._gramian import accumulation_dtype, mean_dtype
from mmpareto_jax._hyper_parameters import as_real, check
from mmpareto_jax._partition import per_encoder
from mmpareto_jax.weightings._weighting import next_step


class TrackingState(NamedTuple):
    """State of :func:`track_gradients` for one encoder.

    Attributes:
      means: The running means of the gradients, a tree like the encoder's parameters with leaves
        ``[K, *shape]``, of the parameters' dtype, at least float32.
      step: ``()`` int32, the number of steps taken.
    """

    means: optax.Updates
    step: jax.Array


def track_gradients(
    encoders: Mapping[str, Encoder] | None = None,
    *,
    rate: optax.ScalarOrSchedule = 0.5,
    num_objectives: int = 2,
) -> aggregating.Aggregator:
    r"""Replace each objective's gradient by a running mean, for an aggregator that follows.

    .. math:: y_i \leftarrow y_i + \beta_t (g_i - y_i), \qquad y_i = 0 \text{ at the start.}

    These are the tracking variables of MoCo: followed by ``aggregate(weightings.moco(), encoders)``
    in a chain, they make up the published method. This transformation may precede any other
    aggregator too: a Gramian of running means is less noisy than that of a single batch. Its state
    is K times as large as the encoders' parameters. If a gradient is not finite, the updates of
    this step are not finite either, and the means do not change.

    Args:
      encoders: Encoders by name, as for the aggregator that follows.
      rate: :math:`\beta`, in (0, 1], or an optax schedule of the step count, which starts at 0.
        0.5 by default, as in LibMTL, where it also decays:
        ``lambda step: 0.5 / jnp.sqrt(step + 1)``.
      num_objectives: The number of objectives where ``encoders`` is None. 2 by default.

    Returns:
      A gradient transformation from stacked gradients to stacked gradients.

    Raises:
      ValueError: If ``rate`` is a number that is not in (0, 1].

    Examples:
      >>> import jax.numpy as jnp
      >>> import optax
      >>> import mmpareto_jax as mmp
      >>> moco = mmp.aggregate(mmp.weightings.moco())
      >>> tx = optax.chain(mmp.track_gradients(rate=0.5), moco, optax.sgd(1.0))
      >>> params, grads = jnp.zeros(2), jnp.array([[2.0, 0.0], [0.0, 2.0]])
      >>> print(tx.update(grads, tx.init(params), params)[0])
      [-0.5 -0.5]

    References:
      Fernando et al., `Mitigating gradient bias in multi-objective learning
      <https://arxiv.org/abs/2210.12624>`_, 2023, Eq. 8.
    """
    if not callable(rate):
        check("rate", rate, "in (0, 1]", lambda rate: 0 < rate <= 1)

    def tracker(encoder: Encoder) -> aggregating.Aggregator:
        stack = len(encoder.objectives)

        def init(params: optax.Params) -> TrackingState:
            def zeros(leaf: jax.Array) -> jax.Array:
                # zeros_like keeps the sharding of the leaf.
                row = jnp.zeros_like(leaf, dtype=mean_dtype(leaf))
                return jnp.stack([row] * stack)

            return TrackingState(jax.tree.map(zeros, params), step=jnp.zeros((), jnp.int32))

        def update(
            updates: optax.Updates,
            state: TrackingState,
            params: optax.Params | None = None,
            **extra: Any,
        ) -> tuple[optax.Updates, TrackingState]:
            del params, extra
            _check_means(state.means, updates)
            now = rate(state.step) if callable(rate) else rate

            def track(mean: jax.Array, gradient: jax.Array) -> jax.Array:
                share = as_real(now, accumulation_dtype([mean])).astype(mean.dtype)
                return mean + share * (gradient.astype(mean.dtype) - mean)

            means = jax.tree.map(track, state.means, updates)
            finite = jnp.all(
                jnp.stack([jnp.all(jnp.isfinite(mean)) for mean in jax.tree.leaves(means)])
            )
            kept = jax.tree.map(lambda new, old: jnp.where(finite, new, old), means, state.means)
            updates = jax.tree.map(_in_dtype_of, means, updates)
            return updates, TrackingState(kept, next_step(state.step))

        return aggregating.Aggregator(init, update)  # type: ignore[arg-type]

    return per_encoder(tracker, encoders, num_objectives)


def _check_means(means: Any, updates: Any) -> None:
    """Check that the gradients fit the means, which have the shapes of the parameters.

    Args:
      means: The running means, with leaves ``[K, *shape]``.
      updates: The gradients, which must have the same paths and shapes.

    Raises:
      ValueError: If a gradient is missing or too many, has another shape, or is complex for a real
        parameter.
    """
    check_same_paths(means, updates, "the state", "the tree of gradients")
    leaves = jax.tree_util.tree_leaves_with_path(updates)
    for (path, gradient), mean in zip(leaves, jax.tree.leaves(means), strict=True):
        if gradient.shape != mean.shape:
            raise ValueError(
                f"the gradient of {quoted(path)} has shape {gradient.shape}, expected {mean.shape}"
            )
        if jnp.iscomplexobj(gradient) and not jnp.iscomplexobj(mean):
            raise ValueError(
                f"the gradient of {quoted(path)} is of type {gradient.dtype}, but its parameter is "
                "real: an update would lose the imaginary part"
            )


def _in_dtype_of(mean: jax.Array, gradient: jax.Array) -> jax.Array:
    """Cast a mean to the dtype of the gradient, except a complex mean of a real gradient."""
    if jnp.iscomplexobj(mean) and not jnp.iscomplexobj(gradient):
        return mean
    return mean.astype(gradient.dtype)
