"""How far CAGrad's weights are from the best direction.

The value of the minimization over the simplex and that of the maximization over the ball bound
each other, so that a small difference proves both solutions. The length `t = |g_w|` has the
relative error `u (L / t)^2` (see `convex` for u and L).
"""

import numpy as np
from gramians import norms_of


def conflict_averse_gap(gramian, weights, c):
    """Value over the ball, its upper bound over the simplex, and what rounding allows each row."""
    count = len(gramian)
    mean = np.full(count, np.longdouble(1) / count)
    radius = c * np.sqrt(mean @ gramian @ mean)
    added = np.clip(weights - mean, 0, None)
    simplex = added / added.sum()
    length = np.sqrt(max(simplex @ gramian @ simplex, 0))
    bound = simplex @ gramian @ mean + radius * length
    norms = norms_of(gramian)
    canceled = (simplex @ norms) / length if length > 0 else np.inf
    unit = count * norms * (weights @ norms) * (1 + canceled)
    return gramian @ weights, bound, unit, np.sqrt(added @ gramian @ added) / radius, canceled
