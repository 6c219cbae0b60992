"""What the tests compare with: float64 NumPy, written from the paper and from the released code.

Nothing here imports the library under test.
"""

from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Integrated(NamedTuple):
    """The outcome of one integration: `update = weights[0] * gm + weights[1] * gu`."""

    update: Array
    weights: Array
    cosine: float
    stationary: bool


def min_norm_pair(gm: Array, gu: Array) -> tuple[float, float]:
    """Solve Eq. 5 for two gradients; each weight by its own formula, not as one minus the other."""
    if not gm.any():
        return 1.0, 0.0
    if not gu.any():
        return 0.0, 1.0
    difference = gm - gu
    squared = difference @ difference
    if squared == 0.0:
        return 0.5, 0.5
    alpha_m = np.clip(-(difference @ gu) / squared, 0.0, 1.0)
    alpha_u = np.clip((difference @ gm) / squared, 0.0, 1.0)
    return float(alpha_m), float(alpha_u)


def mmpareto_pair(gm: Array, gu: Array, gamma: float) -> Integrated:
    """Algorithm 1 of the paper for one encoder."""
    gm, gu = gm.astype(np.float64), gu.astype(np.float64)
    norms = np.linalg.norm(gm) * np.linalg.norm(gu)
    dot = gm @ gu
    cosine = float(dot / norms) if norms > 0.0 else 0.0
    alpha_m, alpha_u = min_norm_pair(gm, gu)
    stationary = not np.any(alpha_m * gm + alpha_u * gu)
    if dot >= 0.0:
        alpha_m = alpha_u = 0.5
    direction = 2.0 * alpha_m * gm + 2.0 * alpha_u * gu
    norm = np.linalg.norm(direction)
    scale = gamma * np.linalg.norm(gm + gu) / norm if norm > 0.0 else 0.0
    weights = scale * 2.0 * np.array([alpha_m, alpha_u])
    return Integrated(scale * direction, weights, cosine, stationary)


def mmpareto_stack(gradients: Array, gamma: float) -> Array:
    """Our reading of Algorithm 1 for K gradients `[K, P]`: any negative product is a conflict."""
    gradients = gradients.astype(np.float64)
    gramian = gradients @ gradients.T
    weights = np.ones(len(gradients))
    if (gramian < 0.0).any():
        weights = len(gradients) * min_norm_brute_force(gramian)
    direction = weights @ gradients
    return gamma * np.linalg.norm(gradients.sum(axis=0)) * direction / np.linalg.norm(direction)


def released_rule(
    gm: dict[str, Array], gu: dict[str, Array], gamma: float
) -> tuple[dict[str, Array], Array, float]:
    """The rule of the authors' code: (update of each tensor, alpha, cosine).

    The weights are decided once, on all tensors of the encoder flattened together, and the test is
    `cos > 0`. Each tensor is then enlarged on its own, and never shrunk, to the norm of its own
    plain sum; gamma multiplies every tensor, in conflict or not.
    """
    flat_m = np.concatenate([gm[name].ravel() for name in gm])
    flat_u = np.concatenate([gu[name].ravel() for name in gm])
    cosine = flat_m @ flat_u / (np.linalg.norm(flat_m) * np.linalg.norm(flat_u))
    alpha = (0.5, 0.5) if cosine > 0.0 else min_norm_pair(flat_m, flat_u)
    update = {}
    for name in gm:
        combined = 2.0 * alpha[0] * gm[name] + 2.0 * alpha[1] * gu[name]
        ratio = np.linalg.norm(gm[name] + gu[name]) / np.linalg.norm(combined)
        update[name] = gamma * max(1.0, ratio) * combined
    return update, np.array(alpha), float(cosine)


def _stationary_point(unit: NDArray[np.longdouble], inverse: NDArray[np.longdouble]):
    """Minimize `u^T unit u` with `inverse . u = 1`; None where the support is dependent."""
    size = len(inverse)
    bordered = np.zeros((size + 1, size + 1), np.longdouble)
    bordered[:size, :size] = unit
    bordered[:size, size] = bordered[size, :size] = inverse
    target = np.zeros(size + 1, np.longdouble)
    target[size] = 1.0
    rough = bordered.astype(np.float64)
    try:
        solution = np.linalg.solve(rough, target.astype(np.float64)).astype(np.longdouble)
        for _ in range(3):  # refined in extended precision
            solution += np.linalg.solve(rough, (target - bordered @ solution).astype(np.float64))
    except np.linalg.LinAlgError:
        return None
    return solution[:size] if np.isfinite(solution).all() else None


def min_norm_brute_force(gramian: Array) -> Array:
    """The min-norm point of the simplex, the best over all supports (K <= 6 is quick)."""
    gramian = np.asarray(gramian).astype(np.longdouble)
    count = len(gramian)
    norms = np.sqrt(np.diag(gramian))
    if not norms.all():
        return np.eye(count)[int(np.argmin(norms))]
    unit = gramian / np.outer(norms, norms)  # cosines: the scales would spoil the solve
    inverse = norms.min() / norms
    best, best_value = np.zeros(count), np.inf
    for size in range(1, count + 1):
        for support in map(list, combinations(range(count), size)):
            point = _stationary_point(unit[np.ix_(support, support)], inverse[support])
            if point is None or (point < 0.0).any():
                continue
            weights = np.zeros(count, np.longdouble)
            weights[support] = point * inverse[support]
            weights /= weights.sum()
            value = weights @ gramian @ weights
            if value < best_value:
                best, best_value = weights, value
    return best.astype(np.float64)


class Optimality(NamedTuple):
    """How a point of the simplex stands to the min-norm conditions, in extended precision."""

    value: float  # w^T M w
    products: Array  # M w, the inner product of each objective with the point
    norms: Array  # |g_i|
    length: float  # sum_i w_i |g_i|, what the point would measure without cancellation


def optimality(gramian: Array, weights: Array) -> Optimality:
    """Evaluate `w^T M w`, `M w` and the scales that they come from."""
    gramian, weights = (np.asarray(x).astype(np.longdouble) for x in (gramian, weights))
    products = gramian @ weights
    norms = np.sqrt(np.diag(gramian))
    return Optimality(
        float(weights @ products),
        products.astype(np.float64),
        norms.astype(np.float64),
        float(weights @ norms),
    )


def kkt_residual(gramian: Array, weights: Array) -> float:
    """`(w^T M w - min_j (M w)_j) / w^T M w`, zero where the numerator is not positive."""
    point = optimality(gramian, weights)
    violation = max(0.0, point.value - point.products.min())
    return violation / point.value if violation > 0.0 else 0.0
