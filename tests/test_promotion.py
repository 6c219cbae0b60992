"""The whole run forbids what programs with strict settings forbid."""

import jax


def test_neither_ranks_nor_dtypes_are_promoted_silently():
    assert jax.config.jax_numpy_rank_promotion == "raise"
    assert jax.config.jax_numpy_dtype_promotion == "strict"
