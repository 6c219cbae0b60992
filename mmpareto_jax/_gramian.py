"""The Gramian of per-objective gradients, and their combination with given weights.

A complex tensor counts as two real ones, its real and its imaginary part: the inner product of
gradients is the real part of the Hermitian product, as in optax, and weights are real.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp


def accumulation_dtype(leaves: Sequence[jax.Array]) -> jnp.dtype:
    """Return the real dtype in which inner products of the given leaves are summed.

    It is float64 if any leaf is float64 or complex128, otherwise float32.
    """
    wide = any(jnp.result_type(leaf) in (jnp.float64, jnp.complex128) for leaf in leaves)
    return jnp.dtype(jnp.float64 if wide else jnp.float32)


def mean_dtype(leaf: jax.Array) -> jnp.dtype:
    """Return the dtype in which several leaves like this one are averaged.

    It is float64 for a float64 leaf, float32 for other real leaves, and the leaf's own dtype if
    that is complex.
    """
    dtype = jnp.result_type(leaf)
    return dtype if jnp.issubdtype(dtype, jnp.complexfloating) else accumulation_dtype([leaf])


def gramian(gradient: jax.Array) -> jax.Array:
    r"""Return K gradients' Gramian, :math:`M_{ij} = \operatorname{Re} \langle g_i, g_j \rangle`.

    Products are summed in float32, or in float64 for float64 gradients, elementwise or by a matrix
    product at the highest precision; by default, matrix products run in bfloat16 or TF32 on
    accelerators. No axis is reshaped, so a sharded tensor stays where it is.

    Args:
      gradient: One tensor's gradients, of shape ``[K, *shape]``, objectives first.

    Returns:
      Symmetric real matrix of shape ``[K, K]``.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(gramian(jnp.array([[1.0, 2.0], [3.0, -1.0]])))
      [[ 5.  1.]
       [ 1. 10.]]
    """
    if jnp.iscomplexobj(gradient):
        return gramian(gradient.real) + gramian(gradient.imag)
    gradient = gradient.astype(accumulation_dtype([gradient]))
    if gradient.shape[0] > _MOST_PAIRWISE:
        axes = tuple(range(1, gradient.ndim))
        mesh = jax.typeof(gradient).sharding.mesh
        everywhere = None if mesh.empty else jax.NamedSharding(mesh, jax.P())
        return jnp.tensordot(
            gradient,
            gradient,
            (axes, axes),
            precision=jax.lax.Precision.HIGHEST,
            out_sharding=everywhere,
        )
    products = gradient[:, None] * gradient[None, :]
    if products.ndim > 2:
        # The last axis first: XLA runs these sums in parallel, fused with the products, and a sum
        # of short sums loses fewer digits than one long sum.
        products = jnp.sum(products, axis=-1)
    return jnp.sum(products, axis=tuple(range(2, products.ndim)))


_MOST_PAIRWISE = 8
"""Up to this many objectives, a sum for each pair, which copies nothing, beats a matrix product."""


def combine(weights: jax.Array, gradient: jax.Array) -> jax.Array:
    r"""Return the combination :math:`\sum_i w_i g_i` of one tensor's K gradients.

    Computed in the dtype of the Gramian and rounded once, to the dtype of the gradient.

    Args:
      weights: Real weights of shape ``[K]``.
      gradient: Gradients of shape ``[K, *shape]``, objectives first.

    Returns:
      Array of shape ``[*shape]`` in the dtype of ``gradient``.

    Examples:
      >>> import jax.numpy as jnp
      >>> print(combine(jnp.array([2.0, 1.0]), jnp.array([[1.0, 2.0], [3.0, -1.0]])))
      [5. 3.]
    """
    if jnp.iscomplexobj(gradient):
        return jax.lax.complex(combine(weights, gradient.real), combine(weights, gradient.imag))
    dtype = accumulation_dtype([gradient])
    terms = [w * g.astype(dtype) for w, g in zip(weights.astype(dtype), gradient, strict=True)]
    return sum(terms[1:], terms[0]).astype(jnp.result_type(gradient))
