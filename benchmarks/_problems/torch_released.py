"""The backward passes of the released code, written anew from what it does: four of them.

Each loss is pulled back by itself through the kept graph and its gradients are copied; the sum of
the losses is pulled back once more. The gradients of each encoder are then integrated.
"""

from collections.abc import Mapping

import torch

from benchmarks._problems.audio_video import CHANNELS
from benchmarks._problems.torch_audio_video import LateFusion
from experiments.methods._released_in_torch import integrate


def backward(model: LateFusion, losses: Mapping[str, torch.Tensor]) -> None:
    """Fill ``.grad`` of all parameters."""
    found: dict[str, dict[str, dict[str, torch.Tensor]]] = {name: {} for name in CHANNELS}
    for objective, loss in losses.items():
        loss.backward(retain_graph=True)
        for name in CHANNELS:
            if objective in ("joint", name):
                found[name][objective] = {
                    key: tensor.grad.clone()
                    for key, tensor in model.encoders[name].named_parameters()
                }
        model.zero_grad()
    torch.stack(list(losses.values())).sum().backward()
    for name in CHANNELS:
        updates = integrate(found[name]["joint"], found[name][name])
        for key, tensor in model.encoders[name].named_parameters():
            tensor.grad = updates[key]
