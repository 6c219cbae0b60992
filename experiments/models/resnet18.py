"""ResNet-18 for each modality, with late fusion."""

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.models.late_fusion import LateFusion
from experiments.models.network import Outputs, Shapes

WIDTHS = (64, 128, 256, 512)
BLOCKS_PER_STAGE = 2


class BasicBlock(nnx.Module):
    """Two convolutions 3x3 with a shortcut, which is projected if the shape changes.

    Args:
      channels: Channels of the input.
      width: Channels of the output.
      stride: Stride of the first convolution and of the projection.
      rngs: Random numbers for the initial parameters.
      axis_name: Mapped axis over which batch statistics are averaged, as for :class:`ResNet18`.
    """

    def __init__(
        self,
        channels: int,
        width: int,
        stride: int,
        *,
        rngs: nnx.Rngs,
        axis_name: str | None = None,
    ) -> None:
        self.conv1 = _conv(channels, width, 3, stride, rngs)
        self.norm1 = _norm(width, axis_name, rngs)
        self.conv2 = _conv(width, width, 3, 1, rngs)
        self.norm2 = _norm(width, axis_name, rngs)
        reshaped = stride != 1 or channels != width
        self.projection = nnx.data(
            nnx.Sequential(_conv(channels, width, 1, stride, rngs), _norm(width, axis_name, rngs))
            if reshaped
            else None
        )

    def __call__(self, x: jax.Array) -> jax.Array:
        """Map ``[B, H, W, channels]`` to ``[B, H / stride, W / stride, width]``, rounded up."""
        shortcut = x if self.projection is None else self.projection(x)
        x = nnx.relu(self.norm1(self.conv1(x)))
        return nnx.relu(self.norm2(self.conv2(x)) + shortcut)


class ResNet18(nnx.Module):
    """The 18-layer residual network without its classifier, for one or several frames.

    The layers are a convolution 7x7x64 with stride 2, a max-pool 3 with stride 2, four stages of
    two basic blocks (64, 128, 256, 512 channels), and the average over positions and frames. Batch
    normalization has epsilon 1e-5 and momentum 0.9. The function is that of torchvision, also in
    training. Only the running variance differs: it averages the variances of the batches here and
    their unbiased estimates in torchvision (a factor of n / (n - 1) for n values per channel).

    Args:
      channels: Channels of the input: 3 for images, 1 for a spectrogram.
      rngs: Random numbers for the initial parameters.
      axis_name: Mapped axis over which the batch is sharded and its statistics are averaged, in
        ``shard_map`` or ``pmap``; not needed under ``jit``. None by default.

    References:
      He et al., `Deep residual learning for image recognition
      <https://arxiv.org/abs/1512.03385>`_, 2016.
    """

    features = WIDTHS[-1]

    def __init__(self, channels: int, *, rngs: nnx.Rngs, axis_name: str | None = None) -> None:
        self.conv = _conv(channels, WIDTHS[0], 7, 2, rngs)
        self.norm = _norm(WIDTHS[0], axis_name, rngs)
        blocks = []
        before = WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            for block in range(BLOCKS_PER_STAGE):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(BasicBlock(before, width, stride, rngs=rngs, axis_name=axis_name))
                before = width
        self.blocks = nnx.List(blocks)

    def __call__(self, inputs: jax.Array) -> jax.Array:
        """Map inputs to representations ``[B, 512]``.

        Args:
          inputs: Images ``[B, H, W, channels]`` or frames ``[B, T, H, W, channels]``, whose
            representation is the mean over frames.
        """
        frames = jnp.reshape(inputs, (-1, *inputs.shape[-3:]))
        x = nnx.relu(self.norm(self.conv(frames)))
        x = nnx.max_pool(x, (3, 3), (2, 2), padding=((1, 1), (1, 1)))
        for block in self.blocks:
            x = block(x)
        x = jnp.mean(x, axis=(1, 2))
        return jnp.mean(jnp.reshape(x, (inputs.shape[0], -1, x.shape[-1])), axis=1)


def resnet18(
    shapes: Shapes, outputs: Outputs, *, fusion: str = "concatenation", rngs: nnx.Rngs
) -> LateFusion:
    """Make the late fusion of a :class:`ResNet18` for each of any number of modalities.

    Args:
      shapes: Shape of one sample by modality: an image ``(H, W, channels)``, a spectrogram ``(H, W,
        1)`` or frames ``(T, H, W, channels)``.
      outputs: Number of classes by head: "joint" and each modality.
      fusion: Fusion of the representations: concatenation (the default), sum, gated or film.
      rngs: Random numbers for the initial parameters.

    Raises:
      UserError: If ``outputs`` has other heads, or no fusion has that name.
    """
    encoders = {name: ResNet18(shape[-1], rngs=rngs) for name, shape in shapes.items()}
    return LateFusion(encoders, ResNet18.features, outputs, fusion=fusion, rngs=rngs)


def _conv(channels: int, width: int, size: int, stride: int, rngs: nnx.Rngs) -> nnx.Conv:
    return nnx.Conv(
        channels,
        width,
        kernel_size=(size, size),
        strides=stride,
        padding=size // 2,
        use_bias=False,
        kernel_init=nnx.initializers.variance_scaling(2.0, "fan_out", "normal"),
        rngs=rngs,
    )


def _norm(width: int, axis_name: str | None, rngs: nnx.Rngs) -> nnx.BatchNorm:
    return nnx.BatchNorm(width, momentum=0.9, epsilon=1e-5, axis_name=axis_name, rngs=rngs)
