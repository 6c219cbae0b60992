"""Small transformers for sequences of features, such as those of CMU-MOSI; late fusion."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.errors import UserError
from experiments.models.late_fusion import LateFusion
from experiments.models.vit import Size, TransformerLayer

SIZE = Size(width=64, heads=4, mlp=256)
LAYERS = 3


class SequenceTransformer(nnx.Module):
    """Features projected to a width, sinusoidal positions, layers, and the mean over steps.

    A step whose features are all zero is padding, wherever it stands: no step attends to it and
    the mean leaves it out. A sequence of padding alone is represented by zeros. So features must
    be standardised before they are padded.

    Args:
      features: Features of a step.
      layers: Number of transformer layers.
      size: Width, heads and dense units of each.
      rngs: Random numbers for the initial parameters.

    References:
      Vaswani et al., `Attention is all you need <https://arxiv.org/abs/1706.03762>`_, 2017,
      Section 3.5 for the positions.
    """

    def __init__(
        self, features: int, layers: int = LAYERS, size: Size = SIZE, *, rngs: nnx.Rngs
    ) -> None:
        self.embedding = nnx.Linear(features, size.width, rngs=rngs)
        self.layers = nnx.List([TransformerLayer(size, rngs=rngs) for _ in range(layers)])
        self.norm = nnx.LayerNorm(size.width, epsilon=1e-6, rngs=rngs)

    def __call__(self, steps: jax.Array) -> jax.Array:
        """Sequences ``[B, T, features]`` to representations ``[B, width]``."""
        present = jnp.any(steps != 0, axis=-1)
        tokens = self.embedding(steps)
        tokens = tokens + sinusoids(*tokens.shape[-2:])
        for layer in self.layers:
            tokens = layer(tokens, present)
        total = jnp.sum(jnp.where(present[..., None], self.norm(tokens), 0), axis=1)
        return total / jnp.maximum(jnp.sum(present, axis=1, keepdims=True), 1)


def sinusoids(steps: int, width: int) -> jax.Array:
    """Positions ``[steps, width]`` float32: ``sin(t / 10000^(2 i / width))``, then the cosines.

    Args:
      steps: Number of positions.
      width: Size of each, an even number.
    """
    rates = 10000.0 ** (-jnp.arange(0, width, 2) / width)
    angles = jnp.arange(steps)[:, None] * rates
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


