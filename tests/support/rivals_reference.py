"""The rivals of MMPareto in float64 NumPy, from their papers, on gradients instead of Gramians.

`steps` is a list of `(gradients [K, P], losses [K])`, and a method with a state gives the weights
of every step, `[T, K]`. Nothing here imports the library under test.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Steps = Sequence[tuple[Array, Array]]


def norms_of(gradients: Array) -> Array:
    return np.sqrt((gradients**2).sum(axis=1))


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max())
    return e / e.sum()


def project_on_simplex(point: Array) -> Array:
    """The nearest point of the simplex: `max(x - t, 0)`, with t found by trying every support."""
    count = len(point)
    for size in range(count, 0, -1):
        support = np.argsort(-point)[:size]
        shifted = point - (point[support].sum() - 1.0) / size
        if (shifted[support] >= 0.0).all():
            return np.maximum(shifted, 0.0)
    raise AssertionError("the support of one entry always fits")


def gradient_of(value: Callable[[Array], np.longdouble], at: Array) -> Array:
    """Central differences in extended precision."""
    steps = np.longdouble(1e-6) * np.eye(len(at), dtype=np.longdouble)
    return np.array([(value(at + e) - value(at - e)) / (2 * e.sum()) for e in steps], np.float64)


# ---------------------------------------------------------------- random orders


def orders(count: int) -> Iterator[tuple[tuple[int, ...], ...]]:
    """Every way to visit the others: for each objective a permutation of the rest."""
    others = [permutations([j for j in range(count) if j != i]) for i in range(count)]
    return product(*(list(each) for each in others))


def pcgrad(gradients: Array, order: Sequence[Sequence[int]]) -> Array:
    """Yu et al. 2020, Algorithm 1: the weights of the original gradients in the sum."""
    weights = np.eye(len(gradients))
    for i, others in enumerate(order):
        current = gradients[i].copy()
        for j in others:
            dot = current @ gradients[j]
            if dot < 0.0:
                step = dot / (gradients[j] @ gradients[j])
                current -= step * gradients[j]
                weights[i, j] -= step
    return weights.sum(axis=0)


def gradvac(
    gradients: Array, order: Sequence[Sequence[int]], phi: Array, beta: float
) -> tuple[Array, Array]:
    """Wang et al. 2021, Algorithm 1: weights, and the moving averages of the cosines after it."""
    weights, phi, norms = np.eye(len(gradients)), phi.copy(), norms_of(gradients)
    for i, others in enumerate(order):
        current = gradients[i].copy()
        for j in others:
            length, target = np.linalg.norm(current), phi[i, j]
            cosine = current @ gradients[j] / (length * norms[j])
            if cosine < target:
                sine, target_sine = np.sqrt(1.0 - cosine**2), np.sqrt(1.0 - target**2)
                step = length * (target * sine - cosine * target_sine) / (norms[j] * target_sine)
                current += step * gradients[j]
                weights[i, j] += step
            phi[i, j] = (1.0 - beta) * target + beta * cosine
    return weights.sum(axis=0), phi


# ---------------------------------------------------------------- one step decides


def imtl_g(gradients: Array) -> Array:
    """Liu et al. 2021: equal projections on all gradients, by the pseudoinverse."""
    u, s, _ = np.linalg.svd(gradients, full_matrices=False)
    kept = s > s.max() * np.sqrt(len(gradients) * np.finfo(np.float64).eps)
    u, s = u[:, kept], s[kept]
    v = u @ ((u.T @ norms_of(gradients)) / s**2)
    return v / v.sum()


def aligned_mtl(gradients: Array, scale: str) -> Array:
    """Senushkin et al. 2023: the nearest matrix with equal singular values, mean of its rows."""
    u, s, _ = np.linalg.svd(gradients, full_matrices=False)
    kept = s > s.max() * np.sqrt(len(gradients) * np.finfo(np.float64).eps)
    u, s = u[:, kept], s[kept]
    ascending = np.sort(s**2)
    common = {
        "min": ascending[0],
        "median": ascending[(len(ascending) - 1) // 2],  # the lower middle one, as torch.median
        "rmse": ascending.mean(),
    }[scale]
    return np.sqrt(common) * u @ (u.T @ np.full(len(gradients), 1.0 / len(gradients)) / s)


def config(gradients: Array, preference: Array | None = None) -> Array:
    """Liu et al. 2024: the update itself, `[P]`."""
    units = gradients / norms_of(gradients)[:, None]
    wanted = np.ones(len(gradients)) if preference is None else preference
    direction = np.linalg.pinv(units) @ wanted
    direction /= np.linalg.norm(direction)
    return (gradients @ direction).sum() * direction


def krum(
    gradients: Array, n_byzantine: int = 0, n_selected: int = 1, *, squared: bool = False
) -> Array:
    """Blanchard et al. 2017: weights of Multi-Krum; the paper sums squared distances."""
    count = len(gradients)
    if count == 1:
        return np.ones(1)
    nearest = max(count - n_byzantine - 2, 1)
    scores = np.empty(count)
    for i in range(count):
        distances = norms_of(np.delete(gradients, i, axis=0) - gradients[i])
        scores[i] = np.sort(distances ** (2 if squared else 1))[:nearest].sum()
    weights = np.zeros(count)
    weights[np.argsort(scores, kind="stable")[:n_selected]] = 1.0 / n_selected
    return weights


def stch(losses: Array, mu: float, preference: Array, ideal: Array) -> Array:
    """Lin et al. 2024: central differences of the smooth Tchebycheff value."""

    def value(x: Array) -> np.longdouble:
        terms = preference * (x - ideal) / np.longdouble(mu)
        return mu * (np.log(np.exp(terms - terms.max()).sum()) + terms.max())

    return gradient_of(value, losses)


def geometric_mean(losses: Array) -> Array:
    """Chennupati et al. 2019: central differences of the geometric mean."""

    def value(x: Array) -> np.longdouble:
        return np.prod(x) ** (np.longdouble(1) / len(x))

    return gradient_of(value, losses)


# ---------------------------------------------------------------- a state from step to step


def gradnorm(steps: Steps, alpha: float, learning_rate: float) -> Array:
    """Chen et al. 2018, Algorithm 1."""
    first = steps[0][1]
    weights, found = np.ones(len(first)), []
    for gradients, losses in steps:
        found.append(weights)
        norms = norms_of(gradients)
        length = weights * norms
        ratio = losses / first
        target = length.mean() * (ratio / ratio.mean()) ** alpha
        moved = np.maximum(weights - learning_rate * np.sign(length - target) * norms, 0.0)
        if moved.any():
            weights = moved * len(first) / moved.sum()
    return np.array(found)


def metabalance(steps: Steps, relax: float, decay: float) -> Array:
    """He et al. 2022: auxiliary gradients brought towards the size of the first."""
    moving, found = np.zeros(len(steps[0][1])), []
    for gradients, _ in steps:
        moving = decay * moving + (1.0 - decay) * norms_of(gradients)
        weights = np.ones(len(moving))
        for i in range(1, len(moving)):
            weights[i] = relax * moving[0] / moving[i] + (1.0 - relax)
        found.append(weights)
    return np.array(found)


def sdmgrad(
    steps: Steps,
    lam: float,
    iterations: int,
    learning_rate: float,
    momentum: float,
    preference: Array | None = None,
) -> Array:
    """Xiao et al. 2023, with one batch in the place of three."""
    count = len(steps[0][1])
    w, found = np.full(count, 1.0 / count), []
    towards = w if preference is None else preference
    for gradients, _ in steps:
        unit = gradients / norms_of(gradients).mean()
        velocity = np.zeros(count)
        for _ in range(iterations):
            slope = unit @ ((w + lam * towards) @ unit)
            velocity = momentum * velocity + slope
            w = project_on_simplex(w - learning_rate * velocity)
        found.append((w + lam * towards) / (1.0 + lam))
    return np.array(found)


def moco(steps: Steps, gamma: float, gamma_decay: float, rho: float) -> Array:
    """Fernando et al. 2023, without the tracking variable."""
    count = len(steps[0][1])
    w, found = np.full(count, 1.0 / count), []
    for t, (gradients, _) in enumerate(steps, start=1):
        slope = gradients @ (w @ gradients) + rho * w
        w = project_on_simplex(w - gamma / t**gamma_decay * slope)
        found.append(w)
    return np.array(found)


def dwa(steps: Steps, temperature: float, period: int) -> Array:
    """Liu et al. 2019: how fast each loss fell between the last two whole periods."""
    losses, found = np.array([losses for _, losses in steps]), []
    for t in range(len(steps)):
        now = t // period
        if now < 2:
            found.append(np.ones(losses.shape[1]))
            continue
        last = losses[(now - 1) * period : now * period].mean(axis=0)
        before = losses[(now - 2) * period : (now - 1) * period].mean(axis=0)
        found.append(losses.shape[1] * softmax(last / before / temperature))
    return np.array(found)


def famo(steps: Steps, learning_rate: float, weight_decay: float) -> Array:
    """Liu et al. 2023: logits by Adam on the fall of the log losses, one step late."""
    count = len(steps[0][1])
    logits, first, second = np.zeros(count), np.zeros(count), np.zeros(count)
    found: list[Array] = []
    for t, (_, losses) in enumerate(steps):
        if t > 0:
            z = softmax(logits)
            jacobian = np.diag(z) - np.outer(z, z)
            fall = np.log(steps[t - 1][1]) - np.log(losses)
            slope = jacobian.T @ fall + weight_decay * logits
            first = 0.9 * first + 0.1 * slope
            second = 0.999 * second + 0.001 * slope**2
            step = (first / (1 - 0.9**t)) / (np.sqrt(second / (1 - 0.999**t)) + 1e-8)
            logits = logits - learning_rate * step
        weights = softmax(logits) / losses
        found.append(weights / weights.sum())
    return np.array(found)


def uncertainty(steps: Steps, learning_rate: float) -> Array:
    """Kendall et al. 2018: the log variances by gradient descent."""
    s, found = np.zeros(len(steps[0][1])), []
    for _, losses in steps:
        found.append(np.exp(-s) / 2.0)
        s = s - learning_rate * (-np.exp(-s) * losses / 2.0 + 0.5)
    return np.array(found)


# ---------------------------------------------------------------- coordinate by coordinate


def grad_drop(gradients: Array, uniform: Array, leak: Array) -> Array:
    """Chen et al. 2020, Algorithm 1, for given draws `[P]`."""
    result = np.zeros(gradients.shape[1])
    for p, column in enumerate(gradients.T):
        if not column.any():
            continue
        purity = 0.5 * (1.0 + column.sum() / np.abs(column).sum())
        for i, g in enumerate(column):
            kept = (g > 0 and purity > uniform[p]) or (g < 0 and purity < uniform[p])
            result[p] += (leak[i] + (1.0 - leak[i]) * kept) * g
    return result


def trimmed_mean(gradients: Array, dropped: int) -> Array:
    """Yin et al. 2018: the mean of each coordinate without the `dropped` extremes at both ends."""
    count = len(gradients)
    return np.array([np.sort(c)[dropped : count - dropped].mean() for c in gradients.T])
