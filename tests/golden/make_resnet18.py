"""Writes resnet18.npz and state_dict.pth: values of torchvision's ResNet-18 and a file of torch.

Run by hand, with torch 2.14.1 and torchvision 0.29.1 (CPU suffices)::

    pip install torch==2.14.1 torchvision==0.29.1
    python tests/golden/make_resnet18.py
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torchvision.models import resnet18

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "support"))

from resnet18_weights import images, weight  # noqa: E402

STATISTICS = ("bn1", "layer2.0.downsample.1", "layer4.1.bn2")


def network(channels):
    """Torchvision's network in float64, its classifier replaced by the identity."""
    model = resnet18()
    if channels == 1:
        model.conv1 = nn.Conv2d(1, 64, 7, stride=2, padding=3, bias=False)
    model.fc = nn.Identity()
    state = model.state_dict()
    model.load_state_dict(
        {name: torch.from_numpy(weight(name, each.shape)) for name, each in state.items()}
    )
    return model.double()


def outputs(channels):
    """Features in evaluation, then in training, and the running statistics after that."""
    model = network(channels)
    x = torch.from_numpy(images(channels)).double().permute(0, 3, 1, 2)
    with torch.no_grad():
        evaluation = model.eval()(x)
        training = model.train()(x)
    statistics = {
        f"{name}.{each}": model.state_dict()[f"{name}.{each}"].numpy()
        for name in STATISTICS
        for each in ("running_mean", "running_var")
    }
    return {"evaluation": evaluation.numpy(), "training": training.numpy(), **statistics}


def gray():
    """Features in evaluation of images of three equal channels."""
    x = torch.from_numpy(images(1)).double().permute(0, 3, 1, 2).expand(-1, 3, -1, -1)
    with torch.no_grad():
        return network(3).eval()(x).numpy()


def golden():
    model = resnet18()
    shapes = {name: each.shape for name, each in model.state_dict().items()}
    return {
        "names": np.array(list(shapes)),
        "shapes": np.array([[*shape, *[0] * (4 - len(shape))] for shape in shapes.values()]),
        "parameters": np.array(sum(each.numel() for each in model.parameters())),
        **{f"{c}/{key}": value for c in (1, 3) for key, value in outputs(c).items()},
        "gray": gray(),
    }


def tensors():
    """One tensor of every kind that the reader knows, and a module's state dict with metadata."""
    numbers = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    dtypes = (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool),
    )
    state = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)).state_dict()
    for each in state.values():
        each.copy_(torch.arange(each.numel()).reshape(each.shape))
    for dtype in dtypes:
        state[str(dtype).removeprefix("torch.")] = torch.arange(3).to(dtype)
    state["transposed"] = numbers.T
    state["slice"] = numbers[1:3, ::2]
    state["expanded"] = torch.ones(1).expand(2, 3)
    state["scalar"] = torch.tensor(2.5)
    state["empty"] = torch.zeros(0, 3)
    state["parameter"] = nn.Parameter(torch.arange(2.0))
    return state


if __name__ == "__main__":
    np.savez_compressed(HERE / "resnet18.npz", **golden())
    torch.save(tensors(), HERE / "state_dict.pth")
