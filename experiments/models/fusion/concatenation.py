"""Fusion by one linear map of the concatenated representations."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx


class Concatenation(nnx.Linear):
    """One linear map of the concatenated representations: ``W [x_1; ...; x_M] + b``.

    Args:
      modalities: Number M of modalities.
      features: Size of each representation.
      num_classes: Number of classes.
      rngs: Random numbers for the initial parameters.
    """

    def __init__(self, modalities: int, features: int, num_classes: int, *, rngs: nnx.Rngs) -> None:
        super().__init__(modalities * features, num_classes, rngs=rngs)

    def __call__(self, representations: Sequence[jax.Array]) -> jax.Array:  # type: ignore[override]
        """Map representations to logits ``[B, num_classes]``.

        Args:
          representations: One ``[B, features]`` for each modality, in a fixed order.
        """
        return super().__call__(jnp.concatenate(representations, axis=-1))
