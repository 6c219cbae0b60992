"""Late fusion: independent encoders, one per modality, whose representations are fused."""

from collections.abc import Mapping

import jax
from flax import nnx

from experiments.errors import UserError
from experiments.models import fusion as fusions
from experiments.models.network import Network, Outputs


class LateFusion(Network):
    """An encoder and a linear head for each modality, and a fusion of all as the joint head.

    The fusion takes the modalities in alphabetical order, whatever their order in ``encoders``,
    since flax returns the entries of a dict of modules in that order after splitting and merging.

    Args:
      encoders: Modules that map one modality's input to representations ``[B, features]``, by name.
      features: Size of each representation.
      outputs: Number of classes by head: "joint" and the names of the encoders. The heads are made,
        and their logits returned, in this order.
      fusion: A key of :data:`~experiments.models.fusion.FUSIONS`.
      rngs: Random numbers for the initial parameters of the heads.

    Raises:
      UserError: If ``outputs`` has other heads, or no fusion has that name.

    Examples:
      >>> import jax.numpy as jnp
      >>> rngs = nnx.Rngs(0)
      >>> encoders = {"text": nnx.Linear(3, 8, rngs=rngs), "image": nnx.Linear(5, 8, rngs=rngs)}
      >>> outputs = {"joint": 4, "text": 4, "image": 4}
      >>> model = LateFusion(encoders, 8, outputs, fusion="film", rngs=rngs)
      >>> logits = model({"text": jnp.zeros((2, 3)), "image": jnp.zeros((2, 5))})
      >>> {name: each.shape for name, each in logits.items()}
      {'joint': (2, 4), 'text': (2, 4), 'image': (2, 4)}
    """

    def __init__(
        self,
        encoders: Mapping[str, nnx.Module],
        features: int,
        outputs: Outputs,
        *,
        fusion: str = "concatenation",
        rngs: nnx.Rngs,
    ) -> None:
        if {*outputs} != {"joint", *encoders}:
            raise UserError(
                f"late fusion has the heads {', '.join(['joint', *encoders])}, not "
                f"{', '.join(outputs)}: choose another model or data set"
            )
        make_fusion = fusions.constructor(fusion)
        self.modalities = tuple(sorted(encoders))
        self.outputs = tuple(outputs)
        self.encoders = nnx.Dict(dict(encoders))
        self.heads = nnx.Dict(
            {
                name: make_fusion(len(encoders), features, num_classes, rngs=rngs)
                if name == "joint"
                else nnx.Linear(features, num_classes, rngs=rngs)
                for name, num_classes in outputs.items()
            }
        )

    def encode(
        self, inputs: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map inputs by modality to representations ``[B, features]`` by modality.

        Args:
          inputs: The input of each modality, with a leading axis of B samples.
          rngs: Ignored: encoders of a late fusion have no dropout.
        """
        return {name: encoder(inputs[name]) for name, encoder in self.encoders.items()}

    def classify(
        self, representations: Mapping[str, jax.Array], *, rngs: nnx.Rngs | None = None
    ) -> dict[str, jax.Array]:
        """Map representations by modality to logits ``[B, num_classes]`` by head.

        Args:
          representations: The representations ``[B, features]`` of all modalities.
          rngs: Ignored, since there is no dropout.
        """
        together = [representations[name] for name in self.modalities]
        return {
            name: self.heads[name](together if name == "joint" else representations[name])
            for name in self.outputs
        }
