"""Small transformers for sequences of features, such as CMU-MOSI's, with late fusion."""

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.errors import UserError
from experiments.models.late_fusion import LateFusion
from experiments.models.network import Outputs, Shapes
from experiments.models.vit import Size, TransformerLayer

SIZE = Size(width=64, heads=4, mlp=256)
LAYERS = 3


class SequenceTransformer(nnx.Module):
    """A projection of the features, sinusoidal positions, layers, and the mean over steps.

    A step whose features are all zero is padding, wherever it is: no step attends to it and the
    mean leaves it out. A sequence of padding alone is represented by zeros. Features must therefore
    be standardized before they are padded.

    Args:
      features: Number of features of a step.
      layers: Number of transformer layers.
      size: Width, heads and dense units of each layer.
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
        """Map sequences ``[B, T, features]``, padded with zeros, to vectors ``[B, width]``."""
        present = jnp.any(steps != 0, axis=-1)
        tokens = self.embedding(steps)
        tokens = tokens + sinusoids(*tokens.shape[1:])[None]
        for layer in self.layers:
            tokens = layer(tokens, present)
        total = jnp.sum(jnp.where(present[..., None], self.norm(tokens), 0), axis=1)
        count = jnp.sum(present, axis=1, keepdims=True, dtype=total.dtype)
        return total / jnp.maximum(count, 1)


def sinusoids(steps: int, width: int) -> jax.Array:
    """Return sinusoidal positions: ``sin(t / 10000^(2 i / width))``, then the cosines.

    Args:
      steps: Number of positions.
      width: Size of each position, an even number.

    Returns:
      Array ``[steps, width]``, float32.
    """
    rates = 10000.0 ** (-jnp.arange(0, width, 2, dtype=jnp.float32) / width)
    angles = jnp.arange(steps, dtype=jnp.float32)[:, None] * rates[None]
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


def sequence_transformer(
    shapes: Shapes, outputs: Outputs, *, fusion: str = "concatenation", rngs: nnx.Rngs
) -> LateFusion:
    """Make the late fusion of a :class:`SequenceTransformer` for each modality.

    Each has three layers of width 64 with 4 heads and 256 dense units, and no dropout.

    Args:
      shapes: Shape ``(T, features)`` of one sequence by modality; T may differ between modalities.
      outputs: Number of classes by head: "joint" and each modality.
      fusion: Fusion of the representations: concatenation (the default), sum, gated or film.
      rngs: Random numbers for the initial parameters.

    Raises:
      UserError: If a shape is not ``(T, features)``, ``outputs`` has other heads, or no fusion has
        that name.

    Examples:
      >>> shapes = {"text": (50, 300), "audio": (50, 74), "video": (50, 35)}
      >>> outputs = dict.fromkeys(["joint", *shapes], 2)
      >>> model = sequence_transformer(shapes, outputs, rngs=nnx.Rngs(0))
      >>> sorted(model.encoders)
      ['audio', 'text', 'video']
    """
    for name, shape in shapes.items():
        if len(shape) != 2:
            raise UserError(f"{name} has shape {shape}: a sequence transformer takes (T, features)")
    encoders = {name: SequenceTransformer(shape[1], rngs=rngs) for name, shape in shapes.items()}
    return LateFusion(encoders, SIZE.width, outputs, fusion=fusion, rngs=rngs)
