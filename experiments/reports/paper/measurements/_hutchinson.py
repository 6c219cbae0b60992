"""The trace of a symmetric matrix that is known by its products."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.reports.paper.measurements._lanczos import Product


class Estimate(NamedTuple):
    """A mean over random vectors and its standard error."""

    value: float
    error: float


def traces(product: Product, blocks: jax.Array, key: jax.Array, vectors: int) -> list[Estimate]:
    """Hutchinson's estimates of the traces of diagonal blocks, from the same products.

    With entries of a random vector v that are 1 or -1 alike and independent, the sum over a block
    of the entries of v times those of the product with v is the block's trace in the mean. It is
    exact for a diagonal matrix.

    Args:
      product: Of the matrix, n by n.
      blocks: ``[blocks, n]``, 1 for what belongs to a block and 0 for the rest.
      key: For the vectors.
      vectors: How many, two or more.

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
