"""The rule of the code released with the paper, which differs from the paper's Algorithm 1.

It computes the weights per encoder and then rescales each parameter tensor separately, by
``gamma * max(1, |sum_i g_i| / |sum_i K alpha_i g_i|)`` with the norms of that tensor. Objectives
agree if their cosine is positive; in the paper they agree if it is not negative.
"""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from mmpareto_jax._hyper_parameters import as_real
from mmpareto_jax.solvers import is_stationary, nearest_of_nonzero, quadratic_form, root
from mmpareto_jax.weightings import Weighting
from mmpareto_jax.weightings._mmpareto import MMParetoState, check_gamma, summing_to_count


def released_direction(gamma: optax.ScalarOrSchedule) -> Weighting:
    r"""Return the weighting :math:`\gamma K \alpha`, to be rescaled for each tensor.

    A gradient that is zero in the whole encoder is left out, as in
    :func:`~mmpareto_jax.weightings.mmpareto`.
    """
    check_gamma(gamma)

    def init(num_objectives: int) -> MMParetoState:
        del num_objectives
        return MMParetoState(step=jnp.zeros((), jnp.int32))

    def update(
        gramian: jax.Array, state: MMParetoState, **extra: Any
    ) -> tuple[jax.Array, MMParetoState]:
        del extra
        alpha = nearest_of_nonzero(gramian)
        zero = jnp.diagonal(gramian) == 0
        agreement = jnp.all((gramian > 0) | zero[:, None] | zero[None, :])
        direction = jnp.where(agreement, 1, summing_to_count(gramian, alpha))
        gamma_now = as_real(gamma(state.step) if callable(gamma) else gamma, gramian.dtype)
        weights = jnp.where(~agreement & is_stationary(gramian, alpha), 0, gamma_now * direction)
        weights = jnp.where(jnp.all(jnp.isfinite(gramian)), weights, jnp.nan)
        return weights, MMParetoState(step=optax.safe_increment(state.step))

    return Weighting(init, update)


def rescale_tensor(weights: jax.Array, gramian: jax.Array) -> jax.Array:
    """Rescale the encoder's weights for one tensor, given the Gramian of that tensor."""
    total = jnp.sum(weights)
    direction = weights * weights.shape[0] / jnp.where(total == 0, 1, total)
    uniform_norm = root(quadratic_form(gramian, jnp.ones_like(weights)))
    norm = root(quadratic_form(gramian, direction))
    vanishes = is_stationary(gramian, direction)
    return weights * jnp.where(
        vanishes, 1, jnp.maximum(1, uniform_norm / jnp.where(vanishes, 1, norm))
    )
