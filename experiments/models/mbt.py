"""The multimodal bottleneck transformer: one Vision Transformer per modality, fused in the middle.

The encoder of a modality is its whole stream, including the layers that exchange information with
other streams. The shared tokens belong to no encoder. Because of the exchange, the loss of one
modality depends on the encoder of another.
"""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.errors import UserError
from experiments.models.network import Network, Outputs, Shapes
from experiments.models.vit import BASE, Size, TransformerLayer, VisionTransformer


class BottleneckTransformer(Network):
    """Transformer streams, one per modality, whose last layers exchange information.

    The first layers of a stream attend to its own tokens only, the last ones also to a few shared
    tokens. The head of a modality reads the class token of its stream; the joint head reads the
    concatenated class tokens of all streams. There is no dropout.

    Args:
      shapes: Shape of one sample's input by modality, ``(H, W, channels)`` or ``(T, H, W,
        channels)``.
      outputs: Number of classes by head: "joint" or a modality.
      size: Sizes of every stream. ViT-B/16 by default.
      single_layers: Number of layers before the exchange. 6 by default, as in the MMPareto paper
        (Appendix B).
      fusion_layers: Number of layers with exchange. 2 by default, as in the MMPareto paper
        (Appendix B).
      bottleneck_tokens: Number of tokens that the streams share. 4 by default, as in the source.
      rngs: Random numbers for the initial parameters.

    Raises:
      UserError: If a head is neither "joint" nor a modality, or an input is too small.

    References:
      Nagrani et al., `Attention bottlenecks for multimodal fusion
      <https://arxiv.org/abs/2107.00135>`_, 2021.
    """

    def __init__(
        self,
        shapes: Shapes,
        outputs: Outputs,
        *,
        size: Size = BASE,
        single_layers: int = 6,
        fusion_layers: int = 2,
        bottleneck_tokens: int = 4,
        rngs: nnx.Rngs,
    ) -> None:
        for head in outputs:
            if head != "joint" and head not in shapes:
                raise UserError(f"head {head!r}: choose joint or one of {', '.join(shapes)}")
        # nnx.merge returns dictionaries in alphabetical order.
        self.modalities, self.outputs = tuple(shapes), tuple(outputs)
        self.single_layers = single_layers
        self.depth = single_layers + fusion_layers
        self.encoders = nnx.Dict(
            {
                name: VisionTransformer(shape, self.depth, size, rngs=rngs)
                for name, shape in shapes.items()
            }
        )
        normal = nnx.initializers.normal(0.02)
        self.bottleneck = nnx.Param(normal(rngs.params(), (1, bottleneck_tokens, size.width)))
        widths = {"joint": len(shapes) * size.width}
        self.heads = nnx.Dict(
            {
                name: nnx.Linear(widths.get(name, size.width), classes, rngs=rngs)
                for name, classes in outputs.items()
            }
        )

    def encode(
        self, inputs: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map inputs by modality to class tokens after the exchange ``[B, width]``, by modality.

        Args:
          inputs: The input ``[B, *shape]`` of each modality.
          rngs: Ignored, since there is no dropout.
        """
        tokens = {name: self.encoders[name].embed(inputs[name]) for name in self.modalities}
        layers = {name: self.encoders[name].layers for name in self.modalities}
        for index in range(self.single_layers):
            tokens = {name: layers[name][index](each) for name, each in tokens.items()}
        batch = tokens[self.modalities[0]].shape[0]
        bottleneck = jnp.tile(self.bottleneck[...], (batch, 1, 1))
        for index in range(self.single_layers, self.depth):
            fusing = {name: layers[name][index] for name in self.modalities}
            tokens, bottleneck = exchange(fusing, tokens, bottleneck)
        return {name: self.encoders[name].represent(each) for name, each in tokens.items()}

    def classify(
        self, representations: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map class tokens by modality to logits ``[B, classes]`` by head.

        Args:
          representations: The class token ``[B, width]`` of each modality.
          rngs: Ignored, since there is no dropout.
        """
        together = jnp.concatenate([representations[name] for name in self.modalities], axis=-1)
        read = {**representations, "joint": together}
        return {name: self.heads[name](read[name]) for name in self.outputs}


def exchange(
    layers: Mapping[str, TransformerLayer], tokens: Mapping[str, jax.Array], bottleneck: jax.Array
) -> tuple[dict[str, jax.Array], jax.Array]:
    """Apply one layer in which every stream attends to its own tokens and the bottleneck.

    Args:
      layers: The layer of each stream.
      tokens: The tokens of each stream, ``[B, N, width]``; N may differ between streams.
      bottleneck: The shared tokens ``[B, bottleneck_tokens, width]``.

    Returns:
      The new tokens of each stream, and the mean over streams of the new bottleneck tokens (Nagrani
      et al., 2021, "Fusion via attention bottlenecks").
    """
    outputs = {
        name: layers[name](jnp.concatenate([each, bottleneck], axis=1))
        for name, each in tokens.items()
    }
    lengths = {name: each.shape[1] for name, each in tokens.items()}
    updates = [each[:, lengths[name] :] for name, each in outputs.items()]
    return (
        {name: each[:, : lengths[name]] for name, each in outputs.items()},
        jnp.mean(jnp.stack(updates), axis=0),
    )


def mbt(shapes: Shapes, outputs: Outputs, *, rngs: nnx.Rngs) -> BottleneckTransformer:
    """Make the :class:`BottleneckTransformer` of the MMPareto paper, with ViT-B/16's sizes.

    Args:
      shapes: Shape of one sample's input by modality.
      outputs: Number of classes by head: "joint" or a modality.
      rngs: Random numbers for the initial parameters.
    """
    return BottleneckTransformer(shapes, outputs, rngs=rngs)


def mbt_small(shapes: Shapes, outputs: Outputs, *, rngs: nnx.Rngs) -> BottleneckTransformer:
    """Make a :class:`BottleneckTransformer` with ViT-Ti/16's sizes: width 192, 3 heads.

    Args:
      shapes: Shape of one sample's input by modality.
      outputs: Number of classes by head: "joint" or a modality.
      rngs: Random numbers for the initial parameters.
    """
    size = Size(width=192, heads=3, mlp=768)
    return BottleneckTransformer(shapes, outputs, size=size, rngs=rngs)
