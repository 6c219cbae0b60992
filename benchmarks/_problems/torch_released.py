"""The four backward passes of the released code, reimplemented.

The backward pass of each loss runs separately on the retained graph, and its gradients are copied;
a further backward pass follows for the sum of the losses. Then the gradients of each encoder are
combined by the released rule of MMPareto.
"""

from collections.abc import Mapping

import torch

from benchmarks._problems.audio_video import CHANNELS
from benchmarks._problems.torch_audio_video import LateFusion
from experiments.methods._released_in_torch import integrate


def backward(model: LateFusion, losses: Mapping[str, torch.Tensor]) -> None:
    """Fill ``.grad`` of all parameters by the released rule of MMPareto.

    An encoder's parameters get the combination of the gradients of the joint loss and of its own
    loss; the heads get the gradient of the sum of all losses.

    Args:
      model: The network.
      losses: The losses by head: "joint", and one for each encoder, by its name.
    """
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
