"""Late fusion: an encoder for each modality, whose representations are concatenated."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
from flax import nnx


class LateFusion(nnx.Module):
    """An encoder for each modality, a linear head for each and one for all together.

    Args:
      encoders: Modules from one modality's input to representations ``[B, features]``, by name.
      features: Size of each representation.
      num_classes: Number of classes.
      rngs: Random numbers for the initial parameters of the heads.
    """

    def __init__(
        self, encoders: Mapping[str, nnx.Module], features: int, num_classes: int, *, rngs: nnx.Rngs
    ) -> None:
        self.encoders = nnx.Dict(dict(encoders))
        self.heads = nnx.Dict(
            {
                "joint": nnx.Linear(len(encoders) * features, num_classes, rngs=rngs),
                **{name: nnx.Linear(features, num_classes, rngs=rngs) for name in encoders},
            }
        )

    def __call__(self, inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Inputs by modality to logits ``[B, num_classes]`` by head."""
        return self.classify(self.encode(inputs))

    def encode(self, inputs: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Inputs by modality to representations ``[B, features]`` by modality."""
        return {name: encoder(inputs[name]) for name, encoder in self.encoders.items()}

    def classify(self, representations: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        """Representations by modality to logits ``[B, num_classes]`` by head."""
        ordered = {name: representations[name] for name in self.encoders}
        return {
            "joint": self.heads["joint"](jnp.concatenate(list(ordered.values()), axis=-1)),
            **{name: self.heads[name](each) for name, each in ordered.items()},
        }
