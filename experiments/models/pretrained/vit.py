"""Weights of a Vision Transformer, with timm's names, for every stream of MBT."""

import functools
import math
from pathlib import Path

import jax
import numpy as np
from flax import nnx

from experiments.errors import UserError
from experiments.models.mbt import BottleneckTransformer
from experiments.models.pretrained import mapping, state_dict
from experiments.models.pretrained.mapping import Source
from experiments.models.vit import VisionTransformer


def load_vit(model: nnx.Module, path: Path) -> None:
    """Load one file of weights into every stream of the model, in place.

    A stream of eight layers takes the first eight of the twelve blocks of ViT-B/16. Later blocks
    and the classifier (``head``) are left out; the bottleneck tokens and the heads of the model
    keep their values. The patch embedding of a stream of one channel gets the kernel summed over
    the input channels, so the stream maps a spectrogram as it would map the gray image with three
    equal channels. Positions are resized to the stream's grid of patches, bilinearly, and repeated
    for every frame.

    Args:
      model: A model with streams of the sizes in the file, such as
        :func:`~experiments.models.mbt.mbt` makes for ViT-B/16.
      path: A state dict with timm's names, for example of ``vit_base_patch16_224``, in the format
        of safetensors or of ``torch.save``.

    Raises:
      UserError: If the model is no :class:`BottleneckTransformer`, or the file cannot be read or
        does not fit; then nothing is changed.
    """
    if not isinstance(model, BottleneckTransformer):
        raise UserError(
            "weights of a Vision Transformer fit only mbt and mbt-small: choose one of these models"
        )
    sources = {
        f"{name}/{parameter}": source
        for name, stream in model.encoders.items()
        for parameter, source in _stream(stream).items()
    }
    left_out = functools.partial(_is_left_out, depth=model.depth)
    mapping.load(model.encoders, state_dict.read(path), sources, file=path, skipped=left_out)


def _stream(stream: VisionTransformer) -> dict[str, Source]:
    """Return the tensor for each parameter of a stream, by the parameter's path."""
    channels, heads = stream.embedding.in_features, stream.layers[0].attention.num_heads
    sources = {
        "class_token": Source("cls_token"),
        "positions": Source("pos_embed", functools.partial(_positions, grid=stream.grid)),
        "embedding/kernel": Source(
            "patch_embed.proj.weight", functools.partial(_embedding, channels=channels)
        ),
        "embedding/bias": Source("patch_embed.proj.bias"),
        **_norm("norm", "norm"),
    }
    for index in range(len(stream.layers)):
        layer, block = f"layers/{index}", f"blocks.{index}"
        sources |= {
            **_norm(f"{layer}/norm1", f"{block}.norm1"),
            **_attention(f"{layer}/attention", f"{block}.attn", heads),
            **_norm(f"{layer}/norm2", f"{block}.norm2"),
            **_dense(f"{layer}/dense1", f"{block}.mlp.fc1"),
            **_dense(f"{layer}/dense2", f"{block}.mlp.fc2"),
        }
    return sources


def _is_left_out(name: str, depth: int) -> bool:
    first, *rest = name.split(".")
    return first == "head" or (first == "blocks" and rest[0].isdigit() and int(rest[0]) >= depth)


def _norm(path: str, name: str) -> dict[str, Source]:
    return {f"{path}/scale": Source(f"{name}.weight"), f"{path}/bias": Source(f"{name}.bias")}


def _dense(path: str, name: str) -> dict[str, Source]:
    return {
        f"{path}/kernel": Source(f"{name}.weight", mapping.linear),
        f"{path}/bias": Source(f"{name}.bias"),
    }


def _attention(path: str, name: str, heads: int) -> dict[str, Source]:
    def projection(weight: np.ndarray, index: int) -> np.ndarray:
        """Return the query (0), key (1) or value (2) part of a joint weight or bias.

        A weight ``[3 * width, width]`` gives ``[width, heads, width / heads]``, a bias ``[3 *
        width]`` gives ``[heads, width / heads]``.
        """
        part = np.reshape(weight, (3, heads, -1, *weight.shape[1:]))[index]
        return np.moveaxis(part, -1, 0) if weight.ndim == 2 else part

    def output(weight: np.ndarray) -> np.ndarray:
        return np.reshape(mapping.linear(weight), (heads, -1, weight.shape[0]))

    return {
        **{
            f"{path}/{part}/{parameter}": Source(
                f"{name}.qkv.{tensor}", functools.partial(projection, index=index)
            )
            for index, part in enumerate(("query", "key", "value"))
            for parameter, tensor in (("kernel", "weight"), ("bias", "bias"))
        },
        f"{path}/out/kernel": Source(f"{name}.proj.weight", output),
        f"{path}/out/bias": Source(f"{name}.proj.bias"),
    }


def _embedding(weight: np.ndarray, channels: int) -> np.ndarray:
    kernel = mapping.convolution(weight)
    # In float64, since the file may have half precision.
    return kernel.sum(axis=2, keepdims=True, dtype=np.float64) if channels == 1 else kernel


def _positions(embedding: np.ndarray, grid: tuple[int, int, int]) -> np.ndarray:
    """Resize learned positions to another grid of patches, the same for every frame.

    Args:
      embedding: ``[1, 1 + side * side, width]``, the class token's position first.
      grid: The numbers of frames, rows and columns of patches.

    Returns:
      float32 ``[1, 1 + frames * rows * columns, width]``.
    """
    if embedding.ndim != 3 or embedding.shape[1] < 2:
        raise ValueError(f"no positions: shape {embedding.shape}")
    embedding = embedding.astype(np.float32)  # the file may have half precision
    first, patches = embedding[:, :1], embedding[:, 1:]
    side, width = math.isqrt(patches.shape[1]), embedding.shape[-1]
    frames, rows, columns = grid
    square = np.reshape(patches, (side, side, width))
    resized = jax.image.resize(square, (rows, columns, width), "bilinear")
    tiled = np.tile(np.reshape(resized, (1, rows * columns, width)), (1, frames, 1))
    return np.concatenate([first, tiled], axis=1)
