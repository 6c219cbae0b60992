"""The LeNet of multi-task digit experiments: a shared trunk and a small head for each task."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx

from experiments.errors import UserError
from experiments.models.network import Network, Outputs, Shapes

FEATURES = 50


class Trunk(nnx.Module):
    """Two convolutions 5x5 of 10 and 20 channels, each pooled, and a dense layer of 50.

    The convolutions have no padding; each max-pool is 2x2. In training, half of the channels of the
    second convolution are dropped, whole channels at a time, and the others are doubled.

    Args:
      shape: Shape of one image, ``(H, W, channels)``.
      rngs: Random numbers for the initial parameters.
    """

    def __init__(self, shape: tuple[int, ...], *, rngs: nnx.Rngs) -> None:
        height, width, channels = shape
        self.conv1 = nnx.Conv(channels, 10, kernel_size=(5, 5), padding="VALID", rngs=rngs)
        self.conv2 = nnx.Conv(10, 20, kernel_size=(5, 5), padding="VALID", rngs=rngs)
        self.dropout = nnx.Dropout(0.5, broadcast_dims=(1, 2))
        self.dense = nnx.Linear(20 * _left(height) * _left(width), FEATURES, rngs=rngs)

    def __call__(self, images: jax.Array, *, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Map images ``[B, H, W, channels]`` to representations ``[B, 50]``.

        Args:
          images: The images.
          rngs: Random numbers for dropout, stream "dropout"; needed in training mode only.
        """
        x = nnx.relu(_pool(self.conv1(images)))
        x = self.dropout(self.conv2(x), rngs=rngs)
        x = nnx.relu(_pool(x))
        return nnx.relu(self.dense(jnp.reshape(x, (x.shape[0], -1))))


class Head(nnx.Module):
    """A dense layer of 50 with ReLU and dropout of one half, and a dense layer of classes.

    Args:
      classes: Number of classes.
      rngs: Random numbers for the initial parameters.
    """

    def __init__(self, classes: int, *, rngs: nnx.Rngs) -> None:
        self.dense1 = nnx.Linear(FEATURES, FEATURES, rngs=rngs)
        self.dropout = nnx.Dropout(0.5)
        self.dense2 = nnx.Linear(FEATURES, classes, rngs=rngs)

    def __call__(self, features: jax.Array, *, rngs: nnx.Rngs | None = None) -> jax.Array:
        """Map representations ``[B, 50]`` to logits ``[B, classes]``.

        Args:
          features: The representations.
          rngs: Random numbers for dropout, stream "dropout"; needed in training mode only.
        """
        return self.dense2(self.dropout(nnx.relu(self.dense1(features)), rngs=rngs))


class LeNet(Network):
    """A :class:`Trunk` that all tasks share, under ``encoders/shared``, and a :class:`Head` each.

    Args:
      shapes: Shape of one sample's image, ``(H, W, channels)``, under its name.
      outputs: Number of classes by task.
      rngs: Random numbers for the initial parameters.

    Raises:
      UserError: If there is not exactly one input, or it is no image of at least 16x16 pixels.

    References:
      Sener and Koltun, `Multi-task learning as multi-objective optimization
      <https://arxiv.org/abs/1810.04650>`_, 2018, after Sabour et al., `Dynamic routing between
      capsules <https://arxiv.org/abs/1710.09829>`_, 2017. There dropout does not double the kept
      channels, and a whole batch shares one draw.
    """

    def __init__(self, shapes: Shapes, outputs: Outputs, *, rngs: nnx.Rngs) -> None:
        if len(shapes) != 1:
            raise UserError(f"lenet takes one input, not {len(shapes)}: {', '.join(shapes)}")
        ((self.modality, shape),) = shapes.items()
        if len(shape) != 3 or min(_left(shape[0]), _left(shape[1])) < 1:
            raise UserError(f"lenet takes an image of 16 x 16 pixels or more, not of shape {shape}")
        self.outputs = tuple(outputs)  # nnx.merge returns dictionaries in alphabetical order
        self.encoders = nnx.Dict({"shared": Trunk(shape, rngs=rngs)})
        self.heads = nnx.Dict({name: Head(n, rngs=rngs) for name, n in outputs.items()})

    def encode(
        self, inputs: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map images to ``{"shared": features [B, 50]}``.

        Args:
          inputs: The images ``[B, H, W, channels]`` under their name.
          rngs: Random numbers for dropout, stream "dropout"; needed in training mode only.
        """
        return {"shared": self.encoders["shared"](inputs[self.modality], rngs=rngs)}

    def classify(
        self, representations: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map the shared features to logits ``[B, classes]`` by task.

        Args:
          representations: The features ``{"shared": [B, 50]}`` of :meth:`encode`.
          rngs: Random numbers for dropout, stream "dropout"; needed in training mode only.
        """
        features = representations["shared"]
        return {name: self.heads[name](features, rngs=rngs) for name in self.outputs}


def lenet(shapes: Shapes, outputs: Outputs, *, rngs: nnx.Rngs) -> LeNet:
    """Make a :class:`LeNet`.

    Args:
      shapes: Shape of one sample's image, ``(H, W, channels)``, under its name.
      outputs: Number of classes by task.
      rngs: Random numbers for the initial parameters.

    Examples:
      >>> model = lenet({"image": (28, 56, 1)}, {"left": 10, "right": 10}, rngs=nnx.Rngs(0))
      >>> model.eval()
      >>> {name: x.shape for name, x in model({"image": jnp.zeros((2, 28, 56, 1))}).items()}
      {'left': (2, 10), 'right': (2, 10)}
    """
    return LeNet(shapes, outputs, rngs=rngs)


def _pool(x: jax.Array) -> jax.Array:
    return nnx.max_pool(x, (2, 2), (2, 2))


def _left(length: int) -> int:
    """Return the pixels of a side of ``length`` pixels after two convolutions and two pools."""
    return ((length - 4) // 2 - 4) // 2
