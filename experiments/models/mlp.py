"""Dense encoders for views, each a vector of features; late fusion."""

from collections.abc import Mapping

import jax
from flax import nnx

from experiments.errors import UserError
from experiments.models.late_fusion import LateFusion

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
        """Standardised features ``[B, features]`` to representations ``[B, 128]``."""
        return nnx.relu(self.dense2(nnx.relu(self.dense1(view))))


