"""Functions of a Gramian's nonzero eigenvalues."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Spectrum(NamedTuple):
    """Eigenvalues and eigenvectors of a symmetric positive semi-definite matrix.

    Attributes:
      values: ``[K]``, ascending; values that are zero to working precision are exactly zero.
      vectors: ``[K, K]``, the eigenvectors in columns.
      rank: ``()`` int32, the number of eigenvalues that are not zero.
    """

    values: jax.Array
    vectors: jax.Array
    rank: jax.Array

    def apply(self, factors: jax.Array, vector: jax.Array) -> jax.Array:
        r"""Return :math:`V \operatorname{diag}(f) V^\top x`, ``[K]``, with V the eigenvectors.

        Args:
          factors: The factor f of each eigenvector, ``[K]``.
          vector: The vector x, ``[K]``.
        """
        coefficients = jnp.sum(self.vectors * vector[:, None], axis=0)
        return jnp.sum(self.vectors * (factors * coefficients)[None, :], axis=1)

    def pseudo_solve(self, vector: jax.Array) -> jax.Array:
        """Return the product, ``[K]``, of the matrix's pseudo-inverse and a vector ``[K]``."""
        return self.apply(self.powers(-1), vector)

    def powers(self, exponent: float) -> jax.Array:
        """Return the eigenvalues raised to a power, ``[K]``; zero stays zero, for any exponent."""
        kept = self.values > 0
        return jnp.where(kept, jnp.where(kept, self.values, 1) ** exponent, 0)


def spectrum(gramian: jax.Array) -> Spectrum:
    r"""Return the eigenvalues and eigenvectors of a Gramian, and its rank.

    An eigenvalue counts as zero if it is at most :math:`4 \epsilon` times the largest. Rounding of
    the entries moves eigenvalues by up to half of that, for any K. So a Gramian in float32 has full
    rank up to a condition number of two million; that of the gradients is its square root.

    Args:
      gramian: Symmetric positive semi-definite matrix of shape ``[K, K]``.

    Returns:
      Its :class:`Spectrum`.

    Examples:
      >>> import jax.numpy as jnp
      >>> duplicates = spectrum(jnp.ones((2, 2)))
      >>> print(duplicates.rank, duplicates.pseudo_solve(jnp.ones(2)).round(2))
      1 [0.5 0.5]
    """
    values, vectors = jnp.linalg.eigh(gramian)
    tolerance = 4 * jnp.finfo(gramian.dtype).eps * values[-1]
    values = jnp.where(values > tolerance, values, 0)
    return Spectrum(values, vectors, jnp.sum(values > 0, dtype=jnp.int32))


def pseudo_solve(matrix: jax.Array, vector: jax.Array) -> tuple[jax.Array, Spectrum]:
    r"""Return :math:`M^+ x`, the product of a pseudo-inverse and a vector, refined once.

    Args:
      matrix: Symmetric positive semi-definite matrix of shape ``[K, K]``.
      vector: Array of shape ``[K]``.

    Returns:
      The solution, ``[K]``, and the matrix's :class:`Spectrum`.
    """
    decomposed = spectrum(matrix)
    solution = decomposed.pseudo_solve(vector)
    residual = vector - jnp.sum(matrix * solution[None, :], axis=1)
    return solution + decomposed.pseudo_solve(residual), decomposed
