"""Fusion by feature-wise linear modulation."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
from flax import nnx


class Film(nnx.Module):
    """Fusion that scales and shifts each representation by functions of the earlier ones (FiLM).

    Starting from ``z_1 = x_1``, ``z_m = scale_m(z_{m-1}) * x_m + shift_m(z_{m-1})``, where scale
    and shift are the two halves of one linear map with bias. The logits are a linear map of the
    last z. With two modalities this is the published form, where the first modulates the second;
    the chain for more is our extension.

    Args:
      modalities: Number of modalities, all but the first of which are modulated.
      features: Size of each representation.
      num_classes: Number of classes.
      rngs: Random numbers for the initial parameters.

    References:
      Perez et al., `FiLM: Visual reasoning with a general conditioning layer
      <https://arxiv.org/abs/1709.07871>`_, 2018; as late fusion, Peng et al., `Balanced multimodal
      learning via on-the-fly gradient modulation <https://arxiv.org/abs/2203.15332>`_, 2022.
    """

    def __init__(self, modalities: int, features: int, num_classes: int, *, rngs: nnx.Rngs) -> None:
        self.modulations = nnx.List(
            [nnx.Linear(features, 2 * features, rngs=rngs) for _ in range(modalities - 1)]
        )
        self.output = nnx.Linear(features, num_classes, rngs=rngs)

    def __call__(self, representations: Sequence[jax.Array]) -> jax.Array:
        """Map representations to logits ``[B, num_classes]``.

        Args:
          representations: One ``[B, features]`` for each modality; the order matters.
        """
        fused, *later = representations
        for modulation, x in zip(self.modulations, later, strict=True):
            scale, shift = jnp.split(modulation(fused), 2, axis=-1)
            fused = scale * x + shift
        return self.output(fused)
