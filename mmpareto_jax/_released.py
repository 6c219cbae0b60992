"""The rule of the code released with the paper, which differs from the paper's Algorithm 1.

It computes the weights per encoder and then rescales each parameter tensor separately, by
``gamma * max(1, |sum_i g_i| / |sum_i K alpha_i g_i|)`` with the norms of that tensor. Objectives
agree if their cosine is positive; in the paper they agree if it is not negative.
"""

import jax
import jax.numpy as jnp
import optax

from mmpareto_jax.solvers import is_stationary, nearest_of_nonzero, quadratic_form, root
from mmpareto_jax.weightings import Weighting
from mmpareto_jax.weightings._mmpareto import summing_to_count, with_gamma


def released_direction(gamma: optax.ScalarOrSchedule) -> Weighting:
    r"""Return the weighting :math:`\gamma K \alpha`, to be rescaled for each tensor.

    Here :math:`\alpha` is :math:`1 / K` for each of K objectives if all their inner products are
    positive, otherwise the min-norm weights; at a Pareto stationary point without such agreement
    the weights are zero. A gradient that is zero in the whole encoder is left out, as in
    :func:`~mmpareto_jax.weightings.mmpareto`.

    Args:
      gamma: A positive number, or an optax schedule of the step count.
    """

    def weights(gramian: jax.Array, gamma: jax.Array) -> jax.Array:
        alpha = nearest_of_nonzero(gramian)
        zero = jnp.diagonal(gramian) == 0
        agreement = jnp.all((gramian > 0) | zero[:, None] | zero[None, :])
        direction = jnp.where(agreement, 1, summing_to_count(gramian, alpha))
        return jnp.where(~agreement & is_stationary(gramian, alpha), 0, gamma * direction)

    return with_gamma(weights, gamma)


def rescale_tensor(weights: jax.Array, gramian: jax.Array) -> jax.Array:
    """Rescale the encoder's weights for one tensor, by a factor of at least 1.

    The factor is that of the module's rule, ``max(1, |sum_i g_i| / |sum_i K alpha_i g_i|)``. It is
    1 if the combination of this tensor's gradients is zero to working precision.

    Args:
      weights: The weights of :func:`released_direction` for the encoder, ``[K]``.
      gramian: Inner products of this tensor's gradients, ``[K, K]``.

    Returns:
      The weights of this tensor, ``[K]``.
    """
    total = jnp.sum(weights)
    direction = weights * weights.shape[0] / jnp.where(total == 0, 1, total)
    uniform_norm = root(quadratic_form(gramian, jnp.ones_like(weights)))
    norm = root(quadratic_form(gramian, direction))
    vanishes = is_stationary(gramian, direction)
    return weights * jnp.where(
        vanishes, 1, jnp.maximum(1, uniform_norm / jnp.where(vanishes, 1, norm))
    )
