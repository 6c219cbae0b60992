"""The largest eigenvalue of a symmetric matrix, from its products with vectors."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

Product = Callable[[jax.Array], jax.Array]
"""From a vector ``[n]`` to its product with a symmetric matrix, ``[n]``."""


class Ritz(NamedTuple):
    """An approximation of the largest eigenvalue, and a bound of its error.

    Attributes:
      value: The largest Ritz value. It is at most the largest eigenvalue. NaN if a product was not
        finite.
      residual: The norm of the matrix times the Ritz vector less ``value`` times that vector, which
        has norm 1. There is an eigenvalue that is no further than this from ``value``. NaN if a
        product was not finite.
      vector: The Ritz vector ``[n]``.
      iterations: The number of products that were taken.
    """

    value: float
    residual: float
    vector: jax.Array
    iterations: int


def largest_eigenvalue(
    product: Product, start: jax.Array, iterations: int, tolerance: float
) -> Ritz:
    """Return the largest eigenvalue (by value, not magnitude) of a symmetric matrix, by Lanczos.

    Each vector of the basis is orthogonalized twice against all before it.

    Args:
      product: Function that multiplies the matrix by a vector.
      start: The first vector, ``[n]``, not zero: a random vector, since from one that is orthogonal
        to the eigenvectors of the largest eigenvalue the iterations never find it.
      iterations: The largest number of products.
      tolerance: The iterations stop when the residual is at most this times the largest magnitude
        of a Ritz value.

    Example:
      >>> ritz = largest_eigenvalue(lambda x: jnp.array([1.0, 5.0]) * x, jnp.ones(2), 20, 1e-3)
      >>> round(ritz.value, 3), ritz.iterations
      (5.0, 2)

    References:
      Golub and Van Loan, *Matrix computations*, 4th edition, 2013, section 10.3.
    """
    iterations = min(iterations, start.size)
    basis = jnp.zeros((iterations + 1, start.size), start.dtype)
    basis = basis.at[0].set(start / jnp.linalg.norm(start))
    diagonal: list[float] = []
    off_diagonal: list[float] = []
    while True:
        step = len(diagonal)
        basis, *entries = _extended(basis, step, product(basis[step]))
        diagonal.append(float(entries[0]))
        off_diagonal.append(float(entries[1]))
        if not np.all(np.isfinite([diagonal[-1], off_diagonal[-1]])):
            return Ritz(np.nan, np.nan, basis[step], step + 1)
        values, vectors = _spectrum(diagonal, off_diagonal[:-1])
        residual = off_diagonal[-1] * abs(float(vectors[-1, -1]))
        if step + 1 == iterations or residual <= tolerance * np.max(np.abs(values)):
            break
    weights = jnp.zeros(iterations + 1, start.dtype).at[: step + 1].set(vectors[:, -1])
    return Ritz(float(values[-1]), residual, _combined(weights, basis), step + 1)


@jax.jit
def _extended(
    basis: jax.Array, step: int, image: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Extend the basis of Lanczos by one vector.

    Args:
      basis: ``[iterations + 1, n]``; rows after ``step`` are zero.
      step: The row of the last vector.
      image: The product of the matrix and that vector, ``[n]``.

    Returns:
      The basis with row ``step + 1`` set, and the entries of the tridiagonal matrix on the diagonal
      and beside it.
    """
    along = jnp.vdot(basis[step], image, precision="highest")
    for _ in range(2):  # once leaves rounding errors that grow
        image = image - _combined(jnp.matmul(basis, image, precision="highest"), basis)
    norm = jnp.linalg.norm(image)
    return basis.at[step + 1].set(image / jnp.where(norm > 0, norm, 1)), along, norm


def _combined(weights: jax.Array, basis: jax.Array) -> jax.Array:
    return jnp.matmul(weights, basis, precision="highest")


def _spectrum(diagonal: list[float], off_diagonal: list[float]) -> tuple[np.ndarray, np.ndarray]:
    beside = np.diag(off_diagonal, 1) if off_diagonal else 0
    values, vectors = np.linalg.eigh(np.diag(diagonal) + beside + np.transpose(beside))
    return values, vectors
