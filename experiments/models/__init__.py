"""The models of the experiments, by name.

A model maps a dict of inputs by modality to a dict of logits: "joint" and one entry per modality.
The parameters of a modality's encoder are those under ``encoders/MODALITY``.
"""

from collections.abc import Callable

from flax import nnx

from experiments.errors import UserError
from experiments.models.cg_cnn import ColouredAndGrayNetwork

MODELS: dict[str, Callable[..., nnx.Module]] = {"cg-cnn": ColouredAndGrayNetwork}


def build(name: str, channels: dict[str, int], num_classes: int, seed: int) -> nnx.Module:
    """A model with initial parameters drawn from ``seed``.

    Args:
      name: A key of ``MODELS``.
      channels: Channels of the inputs of each modality, by name.
      num_classes: Number of classes.
      seed: Seed of the initial parameters.

    Raises:
      UserError: If no model has that name.

    Example:
      >>> build("resnet", {}, 10, seed=0)
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: unknown model 'resnet': choose one of cg-cnn
    """
    if name not in MODELS:
        raise UserError(f"unknown model {name!r}: choose one of {', '.join(sorted(MODELS))}")
    return MODELS[name](channels, num_classes, rngs=nnx.Rngs(seed))
