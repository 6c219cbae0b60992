"""The models of the experiments, by name.

A model maps a dict of inputs by modality to a dict of logits: "joint" and one entry per modality.
The parameters of a modality's encoder are those under ``encoders/MODALITY``.
"""

from collections.abc import Callable

from flax import nnx

from experiments.errors import UserError
from experiments.models.cg_cnn import ColouredAndGrayNetwork

MODELS: dict[str, Callable[..., nnx.Module]] = {"cg-cnn": ColouredAndGrayNetwork}


def constructor(name: str) -> Callable[..., nnx.Module]:
    """The model class of that name, called with channels by modality, num_classes and rngs.

    Raises:
      UserError: If no model has that name.

    Example:
      >>> constructor("resnet")
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: unknown model 'resnet': choose one of cg-cnn
    """
    if name not in MODELS:
        raise UserError(f"unknown model {name!r}: choose one of {', '.join(sorted(MODELS))}")
    return MODELS[name]
