"""Features to mean 0 and standard deviation 1, by the training split."""

import numpy as np


def moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation of each feature.

    Args:
        rows: features, [M, D].

    Returns:
        Both float64 [D]; the deviation is that of the population. A feature that never changes
        has deviation 1, so that dividing by it is safe.

    Example:
        >>> moments(np.array([[1.0, 5.0], [3.0, 5.0]]))
        (array([2., 5.]), array([1., 1.]))
    """
    if not len(rows):
        return np.zeros(rows.shape[1]), np.ones(rows.shape[1])
    constant = rows.min(axis=0) == rows.max(axis=0)
    mean = np.where(constant, rows[0], rows.mean(axis=0, dtype=np.float64))
    return mean, np.where(constant, 1, rows.std(axis=0, dtype=np.float64))
