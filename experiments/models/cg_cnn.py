"""The network for colored-and-gray images: four convolutions per modality, late fusion."""

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.models.late_fusion import LateFusion
from experiments.models.network import Outputs, Shapes

FEATURES = 512
"""Size of a representation, as in the source."""


class ConvEncoder(nnx.Module):
    """Four convolutions and an average pool.

    The layers are a convolution 5x5x32, a max-pool 3 with stride 2, and convolutions 3x3x32, 3x3x64
    with stride 2 and 3x3x64, each with ReLU; then the average over the remaining positions (7x7 for
    28x28), and a dense layer with ReLU.

    Args:
      channels: Channels of the image.
      features: Size of the representation. 512 in the source.
      rngs: Random numbers for the initial parameters.

    References:
      Fan et al., `PMR: Prototypical modal rebalance for multimodal learning
      <https://arxiv.org/abs/2211.07089>`_, 2023.
    """

    def __init__(self, channels: int, features: int, *, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(channels, 32, kernel_size=(5, 5), rngs=rngs)
        self.conv2 = nnx.Conv(32, 32, kernel_size=(3, 3), rngs=rngs)
        self.conv3 = nnx.Conv(32, 64, kernel_size=(3, 3), strides=2, rngs=rngs)
        self.conv4 = nnx.Conv(64, 64, kernel_size=(3, 3), rngs=rngs)
        self.dense = nnx.Linear(64, features, rngs=rngs)

    def __call__(self, images: jax.Array) -> jax.Array:
        """Map images ``[B, H, W, channels]`` in [0, 1] to representations ``[B, features]``."""
        x = nnx.relu(self.conv1(images))
        x = nnx.max_pool(x, window_shape=(3, 3), strides=(2, 2), padding="SAME")
        x = nnx.relu(self.conv2(x))
        x = nnx.relu(self.conv3(x))
        x = nnx.relu(self.conv4(x))
        return nnx.relu(self.dense(jnp.mean(x, axis=(1, 2))))


def cg_cnn(
    shapes: Shapes, outputs: Outputs, *, fusion: str = "concatenation", rngs: nnx.Rngs
) -> LateFusion:
    """Make the late fusion of a :class:`ConvEncoder` of 512 features for each modality.

    Args:
      shapes: Shape ``(H, W, channels)`` of one image by modality.
      outputs: Number of classes by head: "joint" and each modality.
      fusion: Fusion of the representations: concatenation (the default), sum, gated or film.
      rngs: Random numbers for the initial parameters.

    Raises:
      UserError: If ``outputs`` has other heads, or no fusion has that name.
    """
    encoders = {name: ConvEncoder(shape[-1], FEATURES, rngs=rngs) for name, shape in shapes.items()}
    return LateFusion(encoders, FEATURES, outputs, fusion=fusion, rngs=rngs)
