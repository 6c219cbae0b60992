"""The verb ``optimality``: measure how well weights solve the problem of their method.

A residual is the error of the weights of one Gramian: 0 for an exact solution. Residuals are
relative and evaluated in NumPy float64, on the same Gramians for this library and, if it is
installed, for TorchJD with its defaults. Every residual depends on the scale of the weights: a
multiple of a solution is not a solution. The gradients have seven scales, from a thousandth to a
thousand.
"""

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

import mmpareto_jax as mmp
from benchmarks import _report
from experiments.data.storage.files import make_folder
from experiments.engine.devices import description

COMMAND = "python -m benchmarks optimality"

Array = NDArray[np.float64]
Residual = Callable[[Array, Array], float]

COUNTS = (2, 4, 8)
FULL_RANK = 100
RANK_DEFICIENT = 40
SCALES = 10.0 ** np.arange(-3, 4)
SEED = 0
CAGRAD_RADIUS = 0.5


class Row(NamedTuple):
    """The residuals of one method of one library, over all Gramians on which it is defined.

    Attributes:
      method: The name of the method, a key of ``METHODS``.
      library: "mmpareto_jax" or "TorchJD".
      cases: The number of Gramians.
      median: The median of the residuals, which are 0 for exact weights.
      worst: The largest residual.
    """

    method: str
    library: str
    cases: int
    median: float
    worst: float


class Method(NamedTuple):
    """How to compute the residual of a method, and on which Gramians it is defined.

    Attributes:
      residual: Function from a Gramian ``[K, K]`` and weights to their residual, 0 if exact. The
        weights are ``[K]``, or ``[K, K]``, one row for each projection, for UPGrad.
      needs_ascent: Whether the method has a solution only for gradients that are not Pareto
        stationary.
    """

    residual: Residual
    needs_ascent: bool = False


def main(output: Path = Path("runs", "bench-optimality")) -> None:
    """Measure how close each solver comes to the solution of its problem.

    Args:
      output: Folder for the table, as Markdown and JSON.
    """
    make_folder(output)
    rows = measure()
    table = f"{markdown(rows).rstrip()}\n\n`{COMMAND}` on {description()}.\n"
    results = {
        "command": COMMAND,
        "device": description(),
        "rows": [row._asdict() for row in rows],
    }
    _report.save(output, table, results)


def simplex_residual(gramian: Array, weights: Array) -> float:
    r"""Return the residual of the min-norm point: the gap or the distance to the simplex.

    The gap is :math:`\max(0, w'Mw - \min_i (Mw)_i) / \sum_{ij} w_i |M_{ij}| w_j`; the larger of
    the two counts.

    Args:
      gramian: The Gramian of the gradients, ``[K, K]``.
      weights: The weights w, ``[K]``.

    Example:
      >>> simplex_residual(np.eye(2), np.array([0.5, 0.5]))
      0.0
    """
    products = gramian @ weights
    size = float(np.abs(weights) @ np.abs(gramian) @ np.abs(weights))
    gap = _ratio(weights @ products - products.min(), size)
    return max(gap, abs(float(weights.sum()) - 1), -float(weights.min()))


def dual_cone_residual(gramian: Array, preference: Array, weights: Array) -> float:
    r"""Return the residual of the projection of :math:`G'u`, with preference u and weights v.

    It is the largest violation of ``v >= u``, ``Mv >= 0`` and ``(v - u)'Mv = 0``. Each objective
    counts in units of its norm; the first two violations are divided by
    :math:`s = \sum_i |v_i| |g_i|`, the third by its square.

    Args:
      gramian: The Gramian of the gradients, ``[K, K]``, none of which is zero.
      preference: The weights u to project, ``[K]``.
      weights: The weights v of the projection, ``[K]``.
    """
    norms = np.sqrt(np.diag(gramian))
    size = float(np.abs(weights) @ norms)
    added = (weights - preference) * norms
    cosines = gramian @ weights / norms
    slackness = float(np.abs(added) @ np.abs(cosines))
    return max(_ratio(-added.min(), size), _ratio(-cosines.min(), size), _ratio(slackness, size**2))


def conflict_averse_residual(gramian: Array, weights: Array) -> float:
    r"""Return how far weights are from the solution of CAGrad: 0 if they solve it exactly.

    CAGrad looks for the direction d in a ball around the mean gradient :math:`g_0`, of radius
    :math:`r = c |g_0|`, whose smallest inner product with a gradient is largest. Its dual problem
    is to minimize :math:`\langle g_w, g_0 \rangle + r |g_w|` over combinations
    :math:`g_w = \sum_i w_i g_i` with weights w of the simplex; both have the same optimal value.
    The direction of the given weights is :math:`g_0 + \sum_i a_i g_i`, and w is a divided by its
    sum. The result is the larger of two errors, each divided by :math:`r \sum_i w_i |g_i|`:

    * the duality gap: the dual value of w minus the smallest inner product of d, where a d outside
      the ball is first moved to the nearest point of the ball;
    * the violation: the distance of d from the ball, times :math:`|g_w|`.

    Args:
      gramian: The Gramian of the gradients, ``[K, K]``.
      weights: The weights that CAGrad gave, ``[K]``.
    """
    count = len(gramian)
    mean = np.full(count, 1 / count)
    radius = CAGRAD_RADIUS * np.sqrt(mean @ gramian @ mean)
    added = np.clip(weights - mean, 0, None)
    if not added.any():
        return 1.0
    length = np.sqrt(max(added @ gramian @ added, 0))
    simplex = added / added.sum()
    distance = np.sqrt(max((weights - mean) @ gramian @ (weights - mean), 0))
    inside = mean + (weights - mean) * min(1, radius / max(distance, np.finfo(float).tiny))
    bound = simplex @ gramian @ mean + radius * length / added.sum()
    size = radius * (simplex @ np.sqrt(np.diag(gramian)))
    gap = _ratio(bound - (gramian @ inside).min(), size)
    return max(gap, _ratio((distance - radius) * length / added.sum(), size))


def fair_residual(gramian: Array, weights: Array) -> float:
    r"""Return the residual of FairGrad and of Nash-MTL, :math:`\max_i |w_i (Mw)_i - 1|`.

    FairGrad has alpha = 1, and the weights of Nash-MTL are not clipped.

    Args:
      gramian: The Gramian M of the gradients, ``[K, K]``.
      weights: The weights w, ``[K]``.

    Example:
      >>> fair_residual(np.diag([1.0, 4.0]), np.array([1.0, 0.5]))
      0.0
    """
    return float(np.max(np.abs(weights * (gramian @ weights) - 1)))


def _ratio(numerator: Any, denominator: Any) -> float:
    return float(max(numerator, 0) / denominator) if denominator > 0 else 0.0


def _mean_residual(gramian: Array, weights: Array) -> float:
    return dual_cone_residual(gramian, np.full(len(gramian), 1 / len(gramian)), weights)


def _upgrad_residual(gramian: Array, projections: Array) -> float:
    preferences = np.eye(len(gramian)) / len(gramian)
    pairs = zip(preferences, projections, strict=True)
    return max(dual_cone_residual(gramian, u, v) for u, v in pairs)


METHODS = {
    "min_norm": Method(simplex_residual),
    "cagrad": Method(conflict_averse_residual),
    "dual_proj": Method(_mean_residual),
    "upgrad": Method(_upgrad_residual),
    "fairgrad": Method(fair_residual, needs_ascent=True),
    "nash_mtl": Method(fair_residual, needs_ascent=True),
}


def gradients(count: int) -> list[Array]:
    """Return fixed random gradients of K objectives, of all scales, the same at each call.

    Args:
      count: The number K of objectives, at least 2.

    Returns:
      140 arrays ``[K, P]`` with P parameters: 100 of rank K, where P = 2 K, and then 40 of lower
      rank, where P < K. Their scales, from a thousandth to a thousand, take turns.
    """
    rng = np.random.default_rng([SEED, count])
    full = [rng.standard_normal((count, 2 * count)) for _ in range(FULL_RANK)]
    deficient = [
        rng.standard_normal((count, int(rng.integers(1, count)))) for _ in range(RANK_DEFICIENT)
    ]
    return [SCALES[i % len(SCALES)] * g for i, g in enumerate(full + deficient)]


def _ours(jacobians: Sequence[Array]) -> Iterator[dict[str, Array]]:
    """Yield the weights of this library by method, for each array of gradients.

    Args:
      jacobians: Arrays of gradients ``[K, P]``, with the same K.

    Yields:
      Weights ``[K]`` in float64 by method; for UPGrad those of each projection, ``[K, K]``.
    """
    count = len(jacobians[0])
    weightings = {
        "min_norm": mmp.min_norm_weights,
        "cagrad": _weights_of(mmp.weightings.cagrad(CAGRAD_RADIUS), count),
        "dual_proj": _weights_of(mmp.weightings.dual_proj(), count),
        "upgrad": lambda m: mmp.solvers.dual_cone_weights(m, jnp.eye(count) / count),
        "fairgrad": _weights_of(mmp.weightings.fairgrad(), count),
        "nash_mtl": _weights_of(mmp.weightings.nash_mtl(float("inf")), count),
    }
    with jax.enable_x64(True):
        solve = jax.jit(jax.vmap(lambda m: {name: w(m) for name, w in weightings.items()}))
        found = jax.tree.map(np.asarray, solve(np.stack([g @ g.T for g in jacobians])))
    for i in range(len(jacobians)):
        yield {name: weights[i] for name, weights in found.items()}


def _weights_of(weighting: mmp.Weighting, count: int) -> Callable[[jax.Array], jax.Array]:
    return lambda gramian: weighting.update(gramian, weighting.init(count))[0]


def _torchjd(jacobians: Sequence[Array]) -> Iterator[dict[str, Array]]:
    """Yield TorchJD's weights by method, with its defaults, for each array of gradients.

    Args:
      jacobians: Arrays of gradients ``[K, P]``, with the same K.

    Yields:
      Weights ``[K]`` in float64 by method; for UPGrad those of each projection, ``[K, K]``.
    """
    torch: Any = importlib.import_module("torch")
    aggregation: Any = importlib.import_module("torchjd.aggregation")
    nash: Any = importlib.import_module("torchjd.aggregation._nash_mtl")
    projector = importlib.import_module("torchjd._linalg._dual_cone").QuadprogProjector()
    count = len(jacobians[0])
    weightings = {
        "min_norm": aggregation.MGDAWeighting(),
        "cagrad": aggregation.CAGradWeighting(CAGRAD_RADIUS),
        "dual_proj": aggregation.DualProjWeighting(),
        "fairgrad": aggregation.FairGradWeighting(1.0),
    }
    for jacobian in jacobians:
        gramian = torch.from_numpy(jacobian @ jacobian.T)
        found = {name: weighting(gramian).numpy() for name, weighting in weightings.items()}
        # This is private; the public weighting returns only the sum of the projections.
        preferences = torch.eye(count, dtype=torch.float64) / count
        found["upgrad"] = projector(preferences, gramian).numpy()
        # A new object each time, since it starts from the weights of the last call. Clipping is
        # off, since the residual is that of the weights before clipping.
        bargain = nash._NashMTLWeighting(count, 0.0, 1, 20)
        found["nash_mtl"] = bargain(torch.from_numpy(jacobian)).numpy()
        yield found


def measure() -> list[Row]:
    """Measure the median and worst residual of each method of each installed library.

    FairGrad and Nash-MTL are measured only if their equation has a solution, that is, if the
    min-norm point of the normalized gradients is not zero.
    """
    libraries = {"mmpareto_jax": _ours}
    if importlib.util.find_spec("torchjd") is not None:
        libraries["TorchJD"] = _torchjd
    rows = []
    for library, solve in libraries.items():
        residuals: dict[str, list[float]] = {name: [] for name in METHODS}
        for count in COUNTS:
            given = gradients(count)
            for jacobian, found in zip(given, solve(given), strict=True):
                gramian = jacobian @ jacobian.T
                ascent = _has_ascent(gramian)
                for name, method in METHODS.items():
                    if ascent or not method.needs_ascent:
                        residuals[name].append(method.residual(gramian, found[name]))
        for name, values in residuals.items():
            rows.append(
                Row(name, library, len(values), float(np.median(values)), float(np.max(values)))
            )
    return rows


def _has_ascent(gramian: Array) -> bool:
    """Return whether the normalized gradients are not Pareto stationary.

    Then some direction has a positive inner product with every gradient.

    Args:
      gramian: The Gramian of the gradients, ``[K, K]``, none of which is zero.
    """
    norms = np.sqrt(np.diag(gramian))
    with jax.enable_x64(True):
        cosines = gramian / np.outer(norms, norms)
        nearest = _min_norm(cosines)
        return not bool(mmp.solvers.is_stationary(jnp.asarray(cosines), nearest))


_min_norm = jax.jit(mmp.min_norm_weights)


def markdown(rows: Sequence[Row]) -> str:
    """Write a Markdown table of the rows, in the order of ``METHODS``.

    Example:
      >>> print(markdown([Row("cagrad", "mmpareto_jax", 420, 1e-16, 2e-15)]))
      | method | library | Gramians | median residual | worst |
      |---|---|---|---|---|
      | cagrad | mmpareto_jax | 420 | 1.0e-16 | 2.0e-15 |
    """
    lines = ["| method | library | Gramians | median residual | worst |", "|---|---|---|---|---|"]
    order = list(METHODS)
    for row in sorted(rows, key=lambda row: order.index(row.method)):
        lines.append(
            f"| {row.method} | {row.library} | {row.cases} | {row.median:.1e} | {row.worst:.1e} |"
        )
    return "\n".join(lines)
