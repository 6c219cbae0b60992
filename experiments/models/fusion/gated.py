"""Fusion by gates: each representation opens or closes the next."""

from collections.abc import Sequence

import jax
from flax import nnx


class Gated(nnx.Module):
    """Fusion that gates each representation but the first by a function of the earlier ones.

    Starting from ``z_1 = x_1``, ``z_m = sigmoid(U_m z_{m-1}) * V_m x_m``, where U and V have
    biases. The logits are a linear map of the last z. With two modalities this is the published
    form, where the first gates the second; the chain for more is our extension.

    Args:
      modalities: Number of modalities, all but the first of which are gated.
      features: Size of each representation.
      num_classes: Number of classes.
      rngs: Random numbers for the initial parameters.

    References:
      Kiela et al., `Efficient large-scale multi-modal classification
      <https://arxiv.org/abs/1802.02892>`_, 2018.
    """

    def __init__(self, modalities: int, features: int, num_classes: int, *, rngs: nnx.Rngs) -> None:
        later = range(modalities - 1)
        self.gates = nnx.List([nnx.Linear(features, features, rngs=rngs) for _ in later])
        self.values = nnx.List([nnx.Linear(features, features, rngs=rngs) for _ in later])
        self.output = nnx.Linear(features, num_classes, rngs=rngs)

    def __call__(self, representations: Sequence[jax.Array]) -> jax.Array:
        """Map representations to logits ``[B, num_classes]``.

        Args:
          representations: One ``[B, features]`` for each modality; the order matters.
        """
        fused, *later = representations
        for gate, value, x in zip(self.gates, self.values, later, strict=True):
            fused = nnx.sigmoid(gate(fused)) * value(x)
        return self.output(fused)
