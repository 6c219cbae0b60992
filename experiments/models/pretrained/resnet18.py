"""Weights of torchvision's ResNet-18 for the encoders of a late fusion."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from flax import nnx

from experiments.errors import UserError
from experiments.models.late_fusion import LateFusion
from experiments.models.pretrained import mapping, state_dict
from experiments.models.pretrained.mapping import Source
from experiments.models.resnet18 import BLOCKS_PER_STAGE, ResNet18


def load_resnet18(model: nnx.Module, path: Path) -> None:
    """Load one file of weights into every encoder of a model of ResNet-18s, in place.

    The file has the state dict of ``torchvision.models.resnet18``. Its classifier (``fc``) is left
    out. The first convolution of an encoder of one channel gets the kernel summed over the input
    channels, so the encoder maps a spectrogram as the network of three channels maps the gray image
    with three equal channels.

    Args:
      model: A late fusion, as :func:`~experiments.models.resnet18.resnet18` makes it.
      path: The file, in the format of safetensors or of ``torch.save``.

    Raises:
      UserError: If the encoders are not ResNet-18s, or the file cannot be read or does not fit;
        then nothing is changed.
    """
    encoders = model.encoders.values() if isinstance(model, LateFusion) else []
    networks = [encoder for encoder in encoders if isinstance(encoder, ResNet18)]
    if not networks or len(networks) < len(encoders):
        raise UserError("weights of ResNet-18 fit only the model resnet18: choose it")
    tensors = state_dict.read(path)
    for encoder in networks:
        mapping.load(encoder, tensors, _sources(encoder), file=path, skipped=_is_skipped)


def _sources(encoder: ResNet18) -> dict[str, Source]:
    sources = {"conv/kernel": Source("conv1.weight", _stem(encoder.conv.in_features))}
    sources |= _norm("norm", "bn1")
    for index, block in enumerate(encoder.blocks):
        stage, position = divmod(index, BLOCKS_PER_STAGE)
        ours, theirs = f"blocks/{index}", f"layer{stage + 1}.{position}"
        for number in (1, 2):
            sources |= _conv(f"{ours}/conv{number}", f"{theirs}.conv{number}")
            sources |= _norm(f"{ours}/norm{number}", f"{theirs}.bn{number}")
        if block.projection is not None:
            sources |= _conv(f"{ours}/projection/layers/0", f"{theirs}.downsample.0")
            sources |= _norm(f"{ours}/projection/layers/1", f"{theirs}.downsample.1")
    return sources


def _stem(channels: int) -> Callable[[np.ndarray], np.ndarray]:
    def convert(weight: np.ndarray) -> np.ndarray:
        kernel = mapping.convolution(weight)
        # In float64, since the file may have half precision.
        return kernel.sum(axis=2, keepdims=True, dtype=np.float64) if channels == 1 else kernel

    return convert


def _conv(ours: str, theirs: str) -> dict[str, Source]:
    return {f"{ours}/kernel": Source(f"{theirs}.weight", mapping.convolution)}


def _norm(ours: str, theirs: str) -> dict[str, Source]:
    names = {"scale": "weight", "bias": "bias", "mean": "running_mean", "var": "running_var"}
    return {f"{ours}/{our}": Source(f"{theirs}.{their}") for our, their in names.items()}


def _is_skipped(name: str) -> bool:
    return name.startswith("fc.") or name.endswith(".num_batches_tracked")
