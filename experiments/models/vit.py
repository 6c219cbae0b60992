"""The Vision Transformer without its classifier, for images, spectrograms and frames."""

import dataclasses
import math

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.errors import UserError


@dataclasses.dataclass(frozen=True)
class Size:
    """The sizes of a Vision Transformer, by default those of ViT-B/16.

    Examples:
      >>> Size(width=192, heads=3, mlp=768).patch
      16
    """

    width: int = 768
    """Size of a token."""
    heads: int = 12
    """Number of attention heads, a divisor of the width."""
    mlp: int = 3072
    """Hidden units of the dense block."""
    patch: int = 16
    """Side of the square of pixels that becomes a token."""


BASE = Size()


class TransformerLayer(nnx.Module):
    """Self-attention and a dense block, each after layer normalization and with a shortcut.

    Weights have Glorot and Bengio's uniform distribution, biases are zero, and the activation is
    the exact GELU.

    Args:
      size: Sizes of the layer; ``patch`` is not used.
      rngs: Random numbers for the initial parameters.

    References:
      Dosovitskiy et al., `An image is worth 16x16 words
      <https://arxiv.org/abs/2010.11929>`_, 2021, Equations 2 and 3.
    """

    def __init__(self, size: Size, *, rngs: nnx.Rngs) -> None:
        init = nnx.initializers.xavier_uniform()
        self.norm1 = nnx.LayerNorm(size.width, epsilon=1e-6, rngs=rngs)
        self.attention = nnx.MultiHeadAttention(
            size.heads, size.width, kernel_init=init, decode=False, rngs=rngs
        )
        self.norm2 = nnx.LayerNorm(size.width, epsilon=1e-6, rngs=rngs)
        self.dense1 = nnx.Linear(size.width, size.mlp, kernel_init=init, rngs=rngs)
        self.dense2 = nnx.Linear(size.mlp, size.width, kernel_init=init, rngs=rngs)

    def __call__(self, tokens: jax.Array, present: jax.Array | None = None) -> jax.Array:
        """Map tokens ``[B, N, width]`` to tokens of the same shape.

        Args:
          tokens: The tokens.
          present: Which tokens are attended to, ``[B, N]`` bool. None means all. Other tokens are
            mapped too.
        """
        mask = None if present is None else present[:, None, None, :]
        tokens = tokens + self.attention(self.norm1(tokens), mask=mask)
        hidden = jax.nn.gelu(self.dense1(self.norm2(tokens)), approximate=False)
        return tokens + self.dense2(hidden)


class VisionTransformer(nnx.Module):
    """Patches as tokens, a class token, learned positions, layers and a last normalization.

    An input of shape ``[H, W, channels]`` is cut into ``floor(H / patch) * floor(W / patch)``
    patches; the last rows and columns that do not fill a patch are left out. The patches of all
    frames of a video ``[T, H, W, channels]`` are tokens of one sequence. Every token has its own
    learned position, so positions also distinguish frames.

    Args:
      shape: Shape of one sample's input, ``(H, W, channels)`` or ``(T, H, W, channels)``.
      layers: Number of transformer layers.
      size: Width, heads, dense units and patch.
      rngs: Random numbers for the initial parameters.

    Raises:
      UserError: If the shape has another rank, or is smaller than a patch.

    References:
      Dosovitskiy et al., `An image is worth 16x16 words
      <https://arxiv.org/abs/2010.11929>`_, 2021. Several frames as one sequence: Nagrani et al.,
      `Attention bottlenecks for multimodal fusion <https://arxiv.org/abs/2107.00135>`_, 2021,
      Section 3.
    """

    def __init__(
        self, shape: tuple[int, ...], layers: int, size: Size = BASE, *, rngs: nnx.Rngs
    ) -> None:
        self.grid = _grid(shape, size.patch)
        patch = (size.patch, size.patch)
        normal = nnx.initializers.normal(0.02)
        self.embedding = nnx.Conv(
            shape[-1], size.width, kernel_size=patch, strides=patch, padding="VALID", rngs=rngs
        )
        self.class_token = nnx.Param(jnp.zeros((1, 1, size.width)))
        self.positions = nnx.Param(normal(rngs.params(), (1, 1 + math.prod(self.grid), size.width)))
        self.layers = nnx.List([TransformerLayer(size, rngs=rngs) for _ in range(layers)])
        self.norm = nnx.LayerNorm(size.width, epsilon=1e-6, rngs=rngs)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Map inputs ``[B, *shape]`` to representations ``[B, width]``."""
        tokens = self.embed(inputs)
        for layer in self.layers:
            tokens = layer(tokens)
        return self.represent(tokens)

    def embed(self, inputs: jax.Array) -> jax.Array:
        """Map inputs ``[B, *shape]`` to tokens ``[B, 1 + patches, width]``, class token first."""
        batch = inputs.shape[0]
        frames = jnp.reshape(inputs, (-1, *inputs.shape[-3:]))
        patches = self.embedding(frames)
        patches = jnp.reshape(patches, (batch, -1, patches.shape[-1]))
        first = jnp.tile(self.class_token[...], (batch, 1, 1))
        return jnp.concatenate([first, patches], axis=1) + self.positions[...]

    def represent(self, tokens: jax.Array) -> jax.Array:
        """Return the normalized class token ``[B, width]`` of tokens ``[B, N, width]``."""
        return self.norm(tokens[:, 0])


def _grid(shape: tuple[int, ...], patch: int) -> tuple[int, int, int]:
    """Return the number of patches along frames (1 for an image), rows and columns.

    Args:
      shape: Shape of one input in pixels, ``(H, W, channels)`` or ``(T, H, W, channels)``.
      patch: Side of a patch in pixels.

    Raises:
      UserError: If the shape has another rank, or holds no patch.
    """
    if len(shape) not in (3, 4):
        raise UserError(f"input shape {shape}: expected (H, W, channels) or (T, H, W, channels)")
    frames = shape[0] if len(shape) == 4 else 1
    rows, columns = shape[-3] // patch, shape[-2] // patch
    if 0 in (frames, rows, columns):
        raise UserError(f"input shape {shape} holds no patch of {patch} x {patch}")
    return frames, rows, columns
