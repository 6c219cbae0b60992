"""The mean and standard deviation by which features are standardized."""

import numpy as np


def moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation of each feature.

    Args:
      rows: Features, [M, D].

    Returns:
      Mean and standard deviation (divisor M), both float64 [D]. The deviation of a constant feature
      is given as 1, so that division by it is safe. Without rows they are zeros and ones.

    Examples:
      >>> moments(np.array([[1.0, 5.0], [3.0, 5.0]]))
      (array([2., 5.]), array([1., 1.]))
    """
    if not len(rows):
        return np.zeros(rows.shape[1]), np.ones(rows.shape[1])
    constant = rows.min(axis=0) == rows.max(axis=0)
    mean = np.where(constant, rows[0], rows.mean(axis=0, dtype=np.float64))
    return mean, np.where(constant, 1, rows.std(axis=0, dtype=np.float64))
