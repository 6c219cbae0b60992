"""PCD: priority-constrained descent."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp

from mmpareto_jax._hyper_parameters import as_real, check, check_nonnegative
from mmpareto_jax.solvers import least_distance_weights, quadratic_form, root
from mmpareto_jax.weightings._weighting import PerObjective, Weighting, next_step, per_objective


class PCDState(NamedTuple):
    """State of :func:`pcd`: the running means of the squared norms, and the number of steps."""

    squares: jax.Array  # [K], without bias correction
    step: jax.Array  # () int32


def pcd(tau: float | PerObjective = 0.02, beta: float = 0.999, eps: float = 1e-8) -> Weighting:
    r"""Follow the first gradient as closely as the progress of the others allows (PCD).

    The first objective, by convention the joint loss, is primary; the others are auxiliary. With
    the gradients :math:`\tilde g_i = g_i / \sqrt{\hat v_i + \epsilon}`, where :math:`\hat v_i` is
    the bias-corrected running mean of :math:`|g_i|^2`, the direction is

    .. math::
      \tilde d = \operatorname{argmin}_d |d - \tilde g_1|^2 \quad \text{subject to} \quad
      \langle \tilde g_j, d \rangle \ge \tau |\tilde g_j|^2 \text{ for all } j > 1 ,

    so that every auxiliary objective makes at least a fraction :math:`\tau` of the progress that
    its own gradient would give it. The update is :math:`\tilde d` at the norm of :math:`g_1`.

    The update is zero if :math:`g_1` is zero or :math:`\tilde d` is, to working precision. If no
    direction satisfies all constraints, they are dropped and the update is :math:`g_1`. An
    auxiliary gradient of zero imposes no constraint.

    Args:
      tau: The guaranteed fraction of progress, from 0 to 1: one number, or ``[K - 1]`` numbers, one
        for each auxiliary objective. 0.02 by default, as published.
      beta: The decay of the running means. 0.999 by default, as published.
      eps: The number added to the running means. 1e-8 by default, as published.

    Returns:
      A :class:`~mmpareto_jax.Weighting` whose state is the running means.

    Raises:
      ValueError: If ``tau`` is not in [0, 1], ``beta`` not in [0, 1), or ``eps`` negative or not
        finite; from ``init``, if ``tau`` has not one number for each auxiliary objective.

    Examples:
      >>> import jax.numpy as jnp
      >>> import mmpareto_jax as mmp
      >>> weighting = mmp.weightings.pcd(tau=0)
      >>> gramian = jnp.array([[25.0, -15.0], [-15.0, 25.0]])
      >>> print(weighting.update(gramian, weighting.init(2))[0].round(4))
      [1.25 0.75]

    References:
      Varam & Alhajri, `Not all objectives are born equal: priority-constrained descent
      <https://arxiv.org/abs/2606.29521>`_, 2026. Read: the abstract, and the description and code
      of TorchJD 0.18, from which the defaults, the bias correction and the special cases are taken.
    """
    separate = isinstance(tau, Sequence) or getattr(tau, "ndim", 0) > 0
    if not separate:
        check("tau", tau, "in [0, 1]", lambda tau: 0 <= tau <= 1)
    elif isinstance(tau, Sequence):
        for number in tau:
            check("tau", number, "in [0, 1]", lambda tau: 0 <= tau <= 1)
    check("beta", beta, "in [0, 1)", lambda beta: 0 <= beta < 1)
    check_nonnegative("eps", eps)

    def init(num_objectives: int) -> PCDState:
        if separate:
            per_objective(cast(PerObjective, tau), "tau", num_objectives - 1)
        return PCDState(squares=jnp.zeros(num_objectives), step=jnp.zeros((), jnp.int32))

    def update(gramian: jax.Array, state: PCDState, **extra: Any) -> tuple[jax.Array, PCDState]:
        del extra
        dtype = gramian.dtype
        fraction, decay, floor = (as_real(value, dtype) for value in (tau, beta, eps))
        step = next_step(state.step)
        squares = jnp.diagonal(gramian)
        means = decay * state.squares.astype(dtype) + (1 - decay) * squares
        # 1 - decay ** steps without cancellation.
        seen = -jnp.expm1(step.astype(dtype) * jnp.log1p(decay - 1))
        lengths = root(means / seen + floor)
        scales = jnp.where(lengths > 0, 1 / jnp.where(lengths > 0, lengths, 1), 0)
        scaled = gramian * scales[:, None] * scales[None, :]
        auxiliary = scaled[1:, 1:]
        bounds = fraction * jnp.diagonal(auxiliary) - scaled[1:, 0]
        added, _ = least_distance_weights(auxiliary, bounds)
        direction = jnp.concatenate([jnp.ones(1, dtype), added])
        square = quadratic_form(scaled, direction)
        # The rounding error of the square is of the order of its terms.
        terms = jnp.sum(direction * root(jnp.diagonal(scaled))) ** 2
        nonzero = square > 10 * jnp.finfo(dtype).eps * terms
        enlarged = root(squares[0]) / root(jnp.where(nonzero, square, 1))
        weights = jnp.where(nonzero, direction * scales * enlarged, 0)
        weights = jnp.where(jnp.all(jnp.isfinite(gramian)), weights, jnp.nan)
        return weights, PCDState(means.astype(state.squares.dtype), step)

    return Weighting(init, update)
