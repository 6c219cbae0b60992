"""SegNet for dense prediction: a shared encoder-decoder and a small head for each task."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.errors import UserError
from experiments.models.network import Network, Outputs, Shapes

MULTIPLES = (1, 2, 4, 8, 8)  # channels of each stage over the width, as in VGG-16
CONVOLUTIONS = (2, 2, 3, 3, 3)  # convolutions of each stage, as in VGG-16
REDUCTION = 2 ** len(MULTIPLES)


class ConvBlock(nnx.Module):
    """Convolutions 3x3, each with batch normalization and ReLU; the first changes the channels.

    Batch normalization has PyTorch's defaults: epsilon 1e-5, momentum 0.9 (0.1 in its terms).

    Args:
      channels: Channels of the input.
      width: Channels of the output.
      convolutions: Number of convolutions.
      rngs: Random numbers for the initial parameters.
    """

    def __init__(self, channels: int, width: int, convolutions: int, *, rngs: nnx.Rngs) -> None:
        before = (channels, *[width] * (convolutions - 1))
        self.convs = nnx.List([_conv(c, width, 3, rngs) for c in before])
        self.norms = nnx.List(
            [nnx.BatchNorm(width, momentum=0.9, epsilon=1e-5, rngs=rngs) for _ in before]
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map ``[B, H, W, channels]`` to ``[B, H, W, width]``."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = nnx.relu(norm(conv(x)))
        return x


class SegNetTrunk(nnx.Module):
    """Five encoder stages of convolutions and pooling, and the reversed decoder stages.

    Each decoder stage first puts every value at the place of the maximum in the encoder stage.

    Args:
      channels: Channels of the image.
      width: Channels of the first stage.
      rngs: Random numbers for the initial parameters.
    """

    def __init__(self, channels: int, width: int, *, rngs: nnx.Rngs) -> None:
        widths = [width * multiple for multiple in MULTIPLES]
        self.down = nnx.List(
            [
                ConvBlock(before, after, convolutions, rngs=rngs)
                for before, after, convolutions in zip(
                    [channels, *widths[:-1]], widths, CONVOLUTIONS, strict=True
                )
            ]
        )
        self.up = nnx.List(
            [
                ConvBlock(before, after, convolutions, rngs=rngs)
                for before, after, convolutions in zip(
                    widths[::-1], [*widths[-2::-1], width], CONVOLUTIONS[::-1], strict=True
                )
            ]
        )

    def __call__(self, images: jax.Array) -> jax.Array:
        """Map images ``[B, H, W, channels]`` to features ``[B, H, W, width]``."""
        x = images
        places = []
        for block in self.down:
            x, place = max_pool_with_places(block(x))
            places.append(place)
        for block, place in zip(self.up, reversed(places), strict=True):
            x = block(max_unpool(x, place))
        return x


class SegNetHead(nnx.Module):
    """A convolution 3x3 and a convolution 1x1, with nothing between them.

    Args:
      width: Channels of the features.
      channels: Channels of the prediction.
      rngs: Random numbers for the initial parameters.
    """

    def __init__(self, width: int, channels: int, *, rngs: nnx.Rngs) -> None:
        self.conv1 = _conv(width, width, 3, rngs)
        self.conv2 = _conv(width, channels, 1, rngs)

    def __call__(self, features: jax.Array) -> jax.Array:
        """Map ``[B, H, W, width]`` to ``[B, H, W, channels]``."""
        return self.conv2(self.conv1(features))


class SegNet(Network):
    """A :class:`SegNetTrunk` for all tasks, under ``encoders/shared``, and a head for each.

    This is the standard multi-task network of the source ("Split, Standard"): everything but the
    last two convolutions is shared. Weights have Glorot and Bengio's normal distribution.

    Args:
      shapes: Shape of one sample's image, ``(H, W, channels)``, under its name.
      outputs: Channels of the prediction by task.
      width: Channels of the first stage. 64 by default, as in the source, which gives VGG-16's
        stages.
      rngs: Random numbers for the initial parameters.

    Raises:
      UserError: If there is not exactly one input, or it is no image whose sides are multiples of
        32.

    References:
      Liu et al., `End-to-end multi-task learning with attention
      <https://arxiv.org/abs/1803.10704>`_, 2019; Badrinarayanan et al., `SegNet
      <https://arxiv.org/abs/1511.00561>`_, 2017.
    """

    def __init__(
        self, shapes: Shapes, outputs: Outputs, *, width: int = 64, rngs: nnx.Rngs
    ) -> None:
        if len(shapes) != 1:
            raise UserError(f"segnet takes one input, not {len(shapes)}: {', '.join(shapes)}")
        ((self.modality, shape),) = shapes.items()
        if len(shape) != 3 or shape[0] % REDUCTION or shape[1] % REDUCTION:
            raise UserError(
                f"segnet takes an image whose sides are multiples of {REDUCTION}, not {shape}"
            )
        self.outputs = tuple(outputs)  # nnx.merge returns dictionaries in alphabetical order
        self.encoders = nnx.Dict({"shared": SegNetTrunk(shape[-1], width, rngs=rngs)})
        self.heads = nnx.Dict(
            {name: SegNetHead(width, n, rngs=rngs) for name, n in outputs.items()}
        )

    def encode(
        self, inputs: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map images to ``{"shared": features [B, H, W, width]}``.

        Args:
          inputs: The images ``[B, H, W, channels]`` under their name.
          rngs: Ignored, since there is no dropout.
        """
        return {"shared": self.encoders["shared"](inputs[self.modality])}

    def classify(
        self, representations: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map the shared features to the heads' outputs ``[B, H, W, outputs[task]]`` by task.

        The outputs are not normalized: logits for a segmentation.

        Args:
          representations: The features ``{"shared": [B, H, W, width]}`` of :meth:`encode`.
          rngs: Ignored, since there is no dropout.
        """
        return {name: self.heads[name](representations["shared"]) for name in self.outputs}


def max_pool_with_places(x: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Return the maximum of each 2x2 window and its place.

    The gradient goes only to that place. Among equal values the first counts, row by row.

    Args:
      x: Array ``[B, H, W, C]``, H and W even.

    Returns:
      The maxima ``[B, H / 2, W / 2, C]``, and their places, int32 of the same shape: 0 and 1 in the
      upper row of the window, 2 and 3 in the lower one.

    Examples:
      >>> x = jnp.array([[1.0, 2.0], [3.0, 3.0]])[None, :, :, None]
      >>> maximum, place = max_pool_with_places(x)
      >>> float(maximum.squeeze()), int(place.squeeze())
      (3.0, 2)
      >>> max_unpool(maximum, place).squeeze().tolist()
      [[0.0, 0.0], [3.0, 0.0]]
    """
    batch, height, width, channels = x.shape
    windows = jnp.reshape(x, (batch, height // 2, 2, width // 2, 2, channels))
    windows = jnp.swapaxes(windows, 2, 3)
    windows = jnp.reshape(windows, (batch, height // 2, width // 2, 4, channels))
    place = jnp.argmax(windows, axis=3).astype(jnp.int32)
    return jnp.sum(jnp.where(_chosen(place), windows, 0), axis=3), place


def max_unpool(x: jax.Array, place: jax.Array) -> jax.Array:
    """Put values at their places in 2x2 windows, and zero elsewhere.

    Args:
      x: The values ``[B, H, W, C]``.
      place: Their places, as :func:`max_pool_with_places` returns them, of the same shape.

    Returns:
      Array ``[B, 2 H, 2 W, C]``.
    """
    batch, height, width, channels = x.shape
    windows = jnp.where(_chosen(place), x[:, :, :, None], 0)
    windows = jnp.reshape(windows, (batch, height, width, 2, 2, channels))
    windows = jnp.swapaxes(windows, 2, 3)
    return jnp.reshape(windows, (batch, 2 * height, 2 * width, channels))


def segnet(shapes: Shapes, outputs: Outputs, *, rngs: nnx.Rngs) -> SegNet:
    """Make the :class:`SegNet` of Liu et al. (2019), with 64 channels in the first stage.

    Args:
      shapes: Shape of one sample's image, ``(H, W, channels)``, under its name.
      outputs: Channels of the prediction by task.
      rngs: Random numbers for the initial parameters.
    """
    return SegNet(shapes, outputs, rngs=rngs)


def segnet_small(shapes: Shapes, outputs: Outputs, *, rngs: nnx.Rngs) -> SegNet:
    """Make a :class:`SegNet` with an eighth of the channels of :func:`segnet`.

    Args:
      shapes: Shape of one sample's image, ``(H, W, channels)``, under its name.
      outputs: Channels of the prediction by task.
      rngs: Random numbers for the initial parameters.
    """
    return SegNet(shapes, outputs, width=8, rngs=rngs)


def _chosen(place: jax.Array) -> jax.Array:
    """Return places, int 0 to 3 ``[B, H, W, C]``, as a one-hot mask, bool ``[B, H, W, 4, C]``."""
    return place[:, :, :, None] == jnp.arange(4).reshape(1, 1, 1, 4, 1)


def _conv(channels: int, width: int, size: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(
        channels,
        width,
        kernel_size=(size, size),
        padding=size // 2,
        kernel_init=nnx.initializers.glorot_normal(),
        rngs=rngs,
    )
