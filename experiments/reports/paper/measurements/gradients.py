"""Norms, variances and Pareto weights of each encoder's two gradients over many mini-batches."""

import functools
import math
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import mmpareto_jax as mmp
from experiments.engine.feeds import Batch
from experiments.engine.program import Program
from experiments.engine.state import TrainState
from experiments.methods import Losses
from mmpareto_jax import Encoder
from mmpareto_jax._gramian import combine, gramian

BATCHES = 100
"""The number of mini-batches at the same parameters."""

GAMMA = 1.5
"""The paper's gamma of MMPareto."""

DIGITS = 4
"""The number of significant digits to which the values of each batch are rounded."""

MEASURED = 2**31 - 1
"""Sets the batches apart from those that the run itself trains on; no epoch has this number."""

ROWS = ("joint", "unimodal", "uniform", "pareto", "mmpareto")
"""The gradients whose noise is measured; MMPareto with gamma = 1."""


def gradients(
    compiled: Program, state: TrainState, encoders: Mapping[str, tuple[str, ...]]
) -> dict[str, Any]:
    r"""Measure norms, variances and Pareto weights of each encoder's gradients, without training.

    The batches are :data:`BATCHES` of the training set, epoch after epoch in an order of their own
    that the seed decides. All states of a run are measured on the same batches, and the run was
    not trained on them in this order. Variances are traces of covariances with the divisor n - 1.
    They are of the gradient of a batch, the paper's :math:`C / |S|`. Batches of one epoch share no
    sample, which makes all variances smaller by at most the share of the training set that a
    batch is, and leaves k as it is.

    Nothing but the running means of the gradients is kept (Welford's method), so that neither the
    number of batches nor a mean that is much larger than the noise matters.

    Args:
      compiled: The program; losses are in evaluation mode, without dropout and with fixed batch
        statistics.
      state: The state whose parameters and batch statistics are used.
      encoders: By name of an encoder, the heads whose losses train it. The first is the joint one,
        the second that of the modality. For several tasks they are just the first and the second.
        Encoders of more or fewer objectives are left out: the paper's analysis is of two.

    Returns:
      A dict for each encoder, in which None stands for a value that is not finite or not defined:

      * ``objectives``: the heads that are called joint and unimodal in the following;
      * ``norms``: ``joint`` and ``unimodal``, and ``cosine``: a number for each batch;
      * ``alpha``: the mean of the min-norm weight of the joint gradient, and ``alpha_above_half``
        the share of the batches in which it is above 1/2;
      * ``variance``: of ``joint``, ``unimodal``, their sum ``uniform``, ``pareto`` (Eq. 9),
        ``mmpareto-gamma-1`` and ``mmpareto-gamma-1.5`` (Algorithm 1), weights anew for each batch;
      * ``mean_squared``: the squared norm of the mean of each of these. Noise adds to it, in the
        mean a variance over the number of batches;
      * ``k``: the variance of the unimodal over that of the joint gradient, and ``bound``,
        (3 k - 1) / (2 k + 2), below which the paper's formula has Pareto reduce the noise;
      * ``correlation``: the trace of the cross-covariance of the two over the square root of
        the product of their variances; the paper assumes 0;
      * ``formula``: the variances of ``uniform`` and ``pareto`` by Eq. 6 and 9, in which the
        gradients are independent and the weights constant, here ``alpha``.

    References:
      Wei & Hu, `MMPareto <https://arxiv.org/abs/2405.17730>`_, 2024, sections 3.2 and 3.3.3;
      Welford, `Note on a method for calculating corrected sums of squares and products
      <https://doi.org/10.1080/00401706.1962.10490022>`_, 1962.
    """
    pairs = {name: heads for name, heads in encoders.items() if len(heads) == 2}
    if not pairs:
        return {}
    everywhere = state.step.sharding
    observe = observer(compiled.losses, tuple(pairs.items()), everywhere)
    means = {
        name: jax.tree.map(
            lambda parameter: np.zeros((len(ROWS), *parameter.shape), np.float32),
            state.params["encoders"][name],
        )
        for name in pairs
    }
    means = jax.device_put(means, everywhere)
    seen = []
    key = jax.random.fold_in(state.key, MEASURED)
    with closing(compiled.feed.training(key, range(BATCHES))) as batches:
        for number, batch in enumerate(batches, start=1):
            means, observed = observe(state, batch, means, float(number))
            # Wide numbers from here on: sums over the batches lose nothing.
            seen.append(jax.tree.map(_wide, jax.device_get(observed)))
    whole: dict[str, Observed] = jax.tree.map(lambda *values: np.stack(values), *seen)
    return {
        name: {
            "objectives": list(heads),
            **_summary(whole[name], _wide(jax.device_get(_squared_norms(means[name])))),
        }
        for name, heads in pairs.items()
    }


class Observed(NamedTuple):
    """The values of one encoder that are kept of a batch."""

    gramian: Any  # [2, 2], inner products of the joint and the unimodal gradient
    alpha: Any  # [2], their min-norm weights
    spread: Any  # [5, 5], what the batch adds to the sum of products of deviations, by ROWS


@functools.lru_cache(maxsize=1)
def observer(
    losses: Callable[[TrainState, Batch], Losses],
    pairs: tuple[tuple[str, tuple[str, ...]], ...],
    placement: jax.sharding.Sharding,
) -> Callable[..., Any]:
    """Return the jitted function that observes the gradients of a batch.

    The last one is cached, so that it is compiled once for all states of a program.

    Args:
      losses: The function ``losses`` of a program.
      pairs: Pairs of an encoder's name and its two objectives.
      placement: The sharding of the results.

    Returns:
      A function of the state, a batch, the running means by encoder, each leaf with a leading axis
      of :data:`ROWS`, and the number of the batch, beginning with 1. It consumes the means, and
      returns the next means and an :class:`Observed` by encoder.
    """
    encoders = {name: Encoder(f"encoders/{name}", heads) for name, heads in pairs}

    @functools.partial(jax.jit, donate_argnums=2, out_shardings=placement)
    def observe(state: TrainState, batch: Batch, means: Any, number: Any) -> Any:
        def of_parameters(params: Any) -> Losses:
            return losses(state._replace(params=params), batch)

        _, grads = mmp.value_and_objective_grads(of_parameters, encoders)(state.params)
        results = {
            name: _welford(grads["encoders"][name], means[name], number) for name in encoders
        }
        return (
            {name: mean for name, (mean, _) in results.items()},
            {name: observed for name, (_, observed) in results.items()},
        )

    return observe


def _welford(pair: Any, mean: Any, number: jax.Array) -> tuple[Any, Observed]:
    """Update the running means of one encoder by the gradients of a batch (Welford's method).

    Args:
      pair: The joint and the unimodal gradient, leaves ``[2, ...]``.
      mean: The running means of :data:`ROWS`, leaves ``[5, ...]``.
      number: The number of the batch, beginning with 1.

    Returns:
      The next means, and the values of the batch.
    """
    products = _total_gramian(pair)
    alpha = mmp.min_norm_weights(products)
    weights = _weights(products, alpha)
    deviation = jax.tree.map(
        lambda gradient, mean: jax.vmap(combine, (0, None))(weights, gradient) - mean, pair, mean
    )
    mean = jax.tree.map(lambda mean, deviation: mean + deviation / number, mean, deviation)
    return mean, Observed(products, alpha, _total_gramian(deviation) * (1 - 1 / number))


def _weights(products: jax.Array, alpha: jax.Array) -> jax.Array:
    """Return the weights of the two gradients in each gradient of :data:`ROWS`, ``[5, 2]``.

    Args:
      products: The Gramian of the two gradients, ``[2, 2]``.
      alpha: The min-norm weights of the two gradients, ``[2]``, which sum to 1.
    """
    rule = mmp.weightings.mmpareto(gamma=1.0)
    mmpareto, _ = rule.update(products, rule.init(2))
    return jnp.stack([*jnp.eye(2), jnp.ones(2), 2 * alpha, mmpareto])


def _total_gramian(stacked: Any) -> jax.Array:
    gramians = [gramian(leaf) for leaf in jax.tree.leaves(stacked)]
    return functools.reduce(jnp.add, gramians)


@jax.jit
def _squared_norms(stacked: Any) -> jax.Array:
    return jnp.diagonal(_total_gramian(stacked))


def _summary(observed: Observed, mean_squared: np.ndarray) -> dict[str, Any]:
    products, alphas = observed.gramian, observed.alpha[:, 0]
    norms = np.sqrt(np.diagonal(products, axis1=1, axis2=2))
    covariance = observed.spread.sum(axis=0) / (len(alphas) - 1)
    joint, unimodal = covariance[0, 0], covariance[1, 1]
    alpha = float(alphas.mean())
    k = _ratio(unimodal, joint)
    return {
        "norms": {name: _rounded(norms[:, row]) for row, name in enumerate(ROWS[:2])},
        "cosine": _rounded(
            _ratio(product, size)
            for product, size in zip(products[:, 0, 1], norms.prod(axis=1), strict=True)
        ),
        "alpha": _finite(alpha),
        "alpha_above_half": float(np.mean(alphas > 0.5)),
        "variance": _by_method(np.diagonal(covariance)),
        "mean_squared": _by_method(mean_squared),
        "k": k,
        "bound": None if k is None else bound(k),
        "correlation": _ratio(covariance[0, 1], math.sqrt(joint) * math.sqrt(unimodal)),
        "formula": {
            "uniform": _finite(joint + unimodal),
            "pareto": _finite((2 * alpha) ** 2 * joint + (2 * (1 - alpha)) ** 2 * unimodal),
        },
    }


def bound(k: Any) -> Any:
    """Return the paper's bound on the weight of the joint gradient, (3 k - 1) / (2 k + 2) (Eq. 15).

    Under the assumptions of the paper, conventional Pareto has less noise than the uniform sum if
    the weight is between 1/2 and this bound.

    Args:
      k: The variance of the unimodal gradient over that of the joint one, a number or an array.

    Example:
      >>> bound(1.0), bound(3.0)
      (0.5, 1.0)
    """
    return (3 * k - 1) / (2 * k + 2)


def _by_method(squares: np.ndarray) -> dict[str, float | None]:
    """Return squares of :data:`ROWS`, ``[5]``, by name, with MMPareto's also at the paper's gamma.

    Its square at gamma is that at 1 times gamma squared. None stands for a value that is not
    finite.
    """
    *others, mmpareto = squares
    return {
        **{name: _finite(value) for name, value in zip(ROWS[:-1], others, strict=True)},
        "mmpareto-gamma-1": _finite(mmpareto),
        f"mmpareto-gamma-{GAMMA}": _finite(GAMMA**2 * mmpareto),
    }


def _wide(value: Any) -> np.ndarray:
    return np.asarray(value, np.float64)


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def _ratio(numerator: Any, denominator: Any) -> float | None:
    return _finite(float(numerator) / float(denominator)) if denominator else None


def _rounded(values: Any) -> list[float | None]:
    finite = [None if value is None else _finite(value) for value in values]
    return [None if value is None else float(f"{value:.{DIGITS}g}") for value in finite]
