"""The models of the experiments, by name.

A model maps a dict of inputs by modality to a dict of outputs by head. An encoder has the
parameters under ``encoders/NAME``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flax import nnx

from experiments import data
from experiments.config import Config
from experiments.errors import UserError
from experiments.models import fusion as fusions
from experiments.models.cg_cnn import cg_cnn
from experiments.models.lenet import lenet
from experiments.models.mbt import mbt, mbt_small
from experiments.models.mlp import mlp
from experiments.models.network import Outputs, Shapes
from experiments.models.pretrained.resnet18 import load_resnet18
from experiments.models.pretrained.vit import load_vit
from experiments.models.resnet18 import resnet18
from experiments.models.segnet import segnet, segnet_small
from experiments.models.sequence_transformer import sequence_transformer

__all__ = ["MODELS", "Model", "Shapes", "build", "named"]


@dataclass(frozen=True)
class Model:
    """A backbone and the data sets that it fits.

    Attributes:
      make: Function of the shapes of one sample's inputs by modality, the number of outputs by
        head, and ``rngs=``, that returns the network; with ``fusion=`` if it fuses late.
      kinds: The kinds of data sets that it fits.
      exchanges: Whether the loss of one modality depends on the encoder of another. The gradient of
        that dependence belongs to no objective of the encoder, which are the joint loss and its own
        (Algorithm 1 of the paper); only a method that differentiates a sum of losses includes it.
      fuses_late: Whether it combines its modalities by a late fusion, which can be chosen.
      load_weights: Function that loads pretrained weights from a file into a network; None if there
        are no such weights.
    """

    make: Callable[..., nnx.Module]
    kinds: tuple[str, ...]
    exchanges: bool = False
    fuses_late: bool = False
    load_weights: Callable[[nnx.Module, Path], None] | None = None


MODELS: dict[str, Model] = {
    "cg-cnn": Model(cg_cnn, ("images",), fuses_late=True),
    "lenet": Model(lenet, ("digits",)),
    "mbt": Model(mbt, ("frames", "images"), exchanges=True, load_weights=load_vit),
    "mbt-small": Model(mbt_small, ("frames", "images"), exchanges=True, load_weights=load_vit),
    "mlp": Model(mlp, ("features",), fuses_late=True),
    "resnet18": Model(resnet18, ("frames", "images"), fuses_late=True, load_weights=load_resnet18),
    "segnet": Model(segnet, ("scenes",)),
    "segnet-small": Model(segnet_small, ("scenes",)),
    "transformer": Model(sequence_transformer, ("sequences",), fuses_late=True),
}
"""Every model, by name."""


def named(config: Config) -> Model:
    """Return the model that a configuration names.

    Raises:
      UserError: If no model or no fusion has that name; the model does not fit the data set; the
        configuration names a fusion or weights for a model without them; or the file of weights
        does not exist.

    Examples:
      >>> named(Config(model="vgg"))  # doctest: +ELLIPSIS
      Traceback (most recent call last):
      ...
      experiments.errors.UserError: unknown model 'vgg': choose one of cg-cnn...
    """
    if config.model not in MODELS:
        raise UserError(
            f"unknown model {config.model!r}: choose one of {', '.join(sorted(MODELS))}"
        )
    model = MODELS[config.model]
    kind = data.named(config.dataset).kind
    if kind not in model.kinds:
        fitting = ", ".join(sorted(name for name, other in MODELS.items() if kind in other.kinds))
        raise UserError(
            f"model {config.model} does not fit the {kind} of {config.dataset}: choose {fitting}"
        )
    if config.fusion != Config.fusion and not model.fuses_late:
        raise UserError(f"model {config.model} does not fuse late: leave --fusion out")
    fusions.constructor(config.fusion)
    if config.diagnose and model.exchanges:
        raise UserError(
            f"--diagnose would change the updates of {config.model}, where the loss of one "
            "modality reaches the encoder of another: leave --diagnose out"
        )
    if config.weights is not None and model.load_weights is None:
        raise UserError(f"there are no pretrained weights for {config.model}: leave --weights out")
    if config.weights is not None and not Path(config.weights).is_file():
        raise UserError(f"there is no file of weights {config.weights}: pass the path of one")
    return model


def build(config: Config, shapes: Shapes, outputs: Outputs, seed: int) -> nnx.Module:
    """Return the network of a configuration, with its initial parameters.

    Args:
      config: The configuration, which names the model, the fusion and the pretrained weights.
      shapes: The shapes of one sample's inputs, by modality.
      outputs: The number of outputs, by head.
      seed: Seed of the parameters that are not pretrained.

    Raises:
      UserError: As for :func:`named`; or if the file of weights does not fit.
    """
    model = named(config)
    options = {"fusion": config.fusion} if model.fuses_late else {}
    network = model.make(shapes, outputs, rngs=nnx.Rngs(seed), **options)
    if config.weights is not None and model.load_weights is not None:
        model.load_weights(network, Path(config.weights))
    return network
