"""The network of :mod:`benchmarks._problems.audio_video` in torch: ResNet-18 on sound and video."""

from typing import Any

import torch
from torch import nn

from benchmarks._problems.audio_video import CHANNELS, NUM_CLASSES
from experiments.models.resnet18 import BLOCKS_PER_STAGE, WIDTHS


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut, which is projected if the shape changes.

    Args:
      channels: Channels of the input.
      width: Channels of the output.
      stride: Stride of the first convolution and of the projection.
    """

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            self.shortcut = nn.Sequential(
                nn.Conv2d(channels, width, 1, stride, bias=False), nn.BatchNorm2d(width)
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map ``[B, channels, H, W]`` to ``[B, width, H / stride, W / stride]``."""
        return torch.relu(self.body(x) + self.shortcut(x))


class ResNet18(nn.Module):
    """ResNet-18 without its classifier.

    Maps frames ``[B, T, C, H, W]`` to the mean over T of their representations, ``[B, 512]``.

    Args:
      channels: The number C of channels of a frame.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(channels, WIDTHS[0], 7, 2, 3, bias=False),
            nn.BatchNorm2d(WIDTHS[0]),
            nn.ReLU(),
            nn.MaxPool2d(3, 2, 1),
        ]
        before = WIDTHS[0]
        for stage, width in enumerate(WIDTHS):
            for block in range(BLOCKS_PER_STAGE):
                layers.append(BasicBlock(before, width, 2 if stage > 0 and block == 0 else 1))
                before = width
        self.layers = nn.Sequential(*layers)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        """Map frames ``[B, T, C, H, W]`` to representations ``[B, 512]``."""
        x = self.layers(frames.flatten(0, 1)).mean((2, 3))
        return x.unflatten(0, frames.shape[:2]).mean(1)


class LateFusion(nn.Module):
    """The network: an encoder and a head for sound and for video, and a joint head on both."""

    def __init__(self) -> None:
        super().__init__()
        width = WIDTHS[-1]
        self.encoders = nn.ModuleDict({name: ResNet18(c) for name, c in CHANNELS.items()})
        self.heads = nn.ModuleDict(
            {
                "joint": nn.Linear(len(CHANNELS) * width, NUM_CLASSES),
                **{name: nn.Linear(width, NUM_CLASSES) for name in CHANNELS},
            }
        )

    def losses(self, batch: Any) -> dict[str, torch.Tensor]:
        """Return the mean cross-entropies of a batch by head: "audio", "video" and "joint".

        Args:
          batch: A batch in torch's layout, from :func:`batch_like`.
        """
        features = {name: self.encoders[name](batch["inputs"][name]) for name in CHANNELS}
        features["joint"] = torch.cat(list(features.values()), -1)
        return {
            name: nn.functional.cross_entropy(head(features[name]), batch["labels"])
            for name, head in self.heads.items()
        }


def batch_like(batch: Any) -> Any:
    """Convert a batch of the JAX network to torch's layout.

    Args:
      batch: A dict of "inputs", NumPy arrays ``[B, H, W, C]`` or ``[B, T, H, W, C]`` by modality,
        and "labels", ``[B]``.

    Returns:
      A dict of the same keys, with tensors ``[B, T, C, H, W]``, where T is 1 for an image, and
      labels of type long.
    """

    def frames(images: Any) -> torch.Tensor:
        array = torch.from_numpy(images.copy())
        return torch.movedim(array if array.ndim == 5 else array[:, None], -1, 2).contiguous()

    return {
        "inputs": {name: frames(images) for name, images in batch["inputs"].items()},
        "labels": torch.from_numpy(batch["labels"].copy()).long(),
    }
