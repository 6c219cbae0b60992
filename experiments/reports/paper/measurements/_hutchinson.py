"""The trace of a symmetric matrix, from its products with random vectors."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.reports.paper.measurements._lanczos import Product


class Estimate(NamedTuple):
    """An estimated trace: the mean over random vectors, and its standard error."""

    value: float
    error: float


def traces(product: Product, blocks: jax.Array, key: jax.Array, vectors: int) -> list[Estimate]:
    """Estimate the traces of diagonal blocks of a matrix by Hutchinson's method.

    The entries of a random vector v are 1 or -1 with equal probability and independent. Then the
    sum over a block of the entries of v times those of the product with v has the block's trace as
    its mean. The estimate is exact for a diagonal matrix. All blocks share the products.

    Args:
      product: Function that multiplies the matrix ``[n, n]`` by a vector.
      blocks: ``[blocks, n]``, 1 for the indices that belong to a block and 0 for the others.
      key: The random key of the vectors.
      vectors: The number of random vectors, two or more.

    Returns:
      An estimate for each block, with its standard error over the vectors.

    Example:
      >>> diagonal = jnp.array([1.0, 2.0, 4.0])
      >>> blocks = jnp.array([[1.0, 1.0, 1.0], [0.0, 0.0, 1.0]])
      >>> traces(lambda x: diagonal * x, blocks, jax.random.key(0), 2)
      [Estimate(value=7.0, error=0.0), Estimate(value=4.0, error=0.0)]

    References:
      Hutchinson, "A stochastic estimator of the trace of the influence matrix for Laplacian
      smoothing splines", *Communications in Statistics*, 1990.
    """
    terms = []
    for each in jax.random.split(key, vectors):
        vector = jax.random.rademacher(each, (blocks.shape[1],), blocks.dtype)
        of_blocks = jnp.matmul(blocks, vector * product(vector), precision="highest")
        terms.append(np.asarray(of_blocks, np.float64))
    means = np.mean(terms, axis=0)
    errors = np.std(terms, axis=0, ddof=1) / np.sqrt(vectors)
    return [Estimate(float(m), float(e)) for m, e in zip(means, errors, strict=True)]
