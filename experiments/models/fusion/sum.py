"""Fusion by the sum of the modalities' logits."""

from collections.abc import Sequence

import jax
from flax import nnx


class Sum(nnx.Module):
    """The sum of a linear map of each representation to logits: ``sum_m (W_m x_m + b_m)``.

    Args:
      modalities: Number of modalities, each with its own map.
      features: Size of each representation.
      num_classes: Number of classes.
      rngs: Random numbers for the initial parameters.

    References:
      Peng et al., `Balanced multimodal learning via on-the-fly gradient modulation
      <https://arxiv.org/abs/2203.15332>`_, 2022, compare it with the other fusions.
    """

    def __init__(self, modalities: int, features: int, num_classes: int, *, rngs: nnx.Rngs) -> None:
        self.maps = nnx.List(
            [nnx.Linear(features, num_classes, rngs=rngs) for _ in range(modalities)]
        )

    def __call__(self, representations: Sequence[jax.Array]) -> jax.Array:
        """Map representations to logits ``[B, num_classes]``.

        Args:
          representations: One ``[B, features]`` for each modality, in a fixed order.
        """
        first, *rest = (linear(x) for linear, x in zip(self.maps, representations, strict=True))
        return sum(rest, first)
