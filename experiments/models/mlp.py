"""Dense encoders, each of one vector of features, with late fusion."""

import jax
from flax import nnx

from experiments.errors import UserError
from experiments.models.late_fusion import LateFusion
from experiments.models.network import Outputs, Shapes

HIDDEN = 256
REPRESENTATION = 128


class MLP(nnx.Module):
    """Two dense layers with ReLU, of 256 and 128 units.

    Args:
      features: Size of the input.
      rngs: Random numbers for the initial parameters.
    """

    def __init__(self, features: int, *, rngs: nnx.Rngs) -> None:
        self.dense1 = nnx.Linear(features, HIDDEN, rngs=rngs)
        self.dense2 = nnx.Linear(HIDDEN, REPRESENTATION, rngs=rngs)

    def __call__(self, view: jax.Array) -> jax.Array:
        """Map standardized features ``[B, features]`` to representations ``[B, 128]``."""
        return nnx.relu(self.dense2(nnx.relu(self.dense1(view))))


def mlp(
    shapes: Shapes, outputs: Outputs, *, fusion: str = "concatenation", rngs: nnx.Rngs
) -> LateFusion:
    """Make the late fusion of an :class:`MLP` for each view.

    Args:
      shapes: Shape ``(features,)`` of one sample by view.
      outputs: Number of classes by head: "joint" and each view.
      fusion: Fusion of the representations: concatenation (the default), sum, gated or film.
      rngs: Random numbers for the initial parameters.

    Raises:
      UserError: If a shape is not ``(features,)``, ``outputs`` has other heads, or no fusion has
        that name.

    Examples:
      >>> shapes = {"fourier": (76,), "pixels": (240,)}
      >>> model = mlp(shapes, dict.fromkeys(["joint", *shapes], 10), rngs=nnx.Rngs(0))
      >>> sorted(model.encoders)
      ['fourier', 'pixels']
    """
    for name, shape in shapes.items():
        if len(shape) != 1:
            raise UserError(f"{name} has shape {shape}: an MLP takes (features,)")
    encoders = {name: MLP(shape[0], rngs=rngs) for name, shape in shapes.items()}
    return LateFusion(encoders, REPRESENTATION, outputs, fusion=fusion, rngs=rngs)
