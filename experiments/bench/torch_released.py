"""The released code's rule, written anew from what it does: four backwards, a scale per tensor.

Each loss is pulled back by itself through the kept graph and its gradients are copied; the sum of
the losses is pulled back once more. Per encoder the two gradients are flattened, their cosine
decides between (1, 1) and the min-norm weights, and each tensor of the combination is scaled by
``gamma`` and by how much shorter than the uniform gradient it is, if it is.
"""

from collections.abc import Mapping

import torch

from experiments.bench.audio_video import CHANNELS
from experiments.bench.torch_audio_video import LateFusion

Gradients = Mapping[str, torch.Tensor]

GAMMA = 1.5


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


def integrate(joint: Gradients, unimodal: Gradients) -> dict[str, torch.Tensor]:
    """Return the update of one encoder from the gradients of its two objectives."""
    flat_joint = torch.cat([gradient.flatten() for gradient in joint.values()])
    flat_unimodal = torch.cat([gradient.flatten() for gradient in unimodal.values()])
    weights = (1.0, 1.0)
    if torch.nn.functional.cosine_similarity(flat_joint, flat_unimodal, dim=0) <= 0:
        inner = torch.dot(flat_joint, flat_unimodal)
        squares = flat_joint.square().sum(), flat_unimodal.square().sum()
        share = (squares[1] - inner) / (squares[0] + squares[1] - 2 * inner)
        share = share.clamp(0, 1)
        weights = (2 * share, 2 * (1 - share))
    updates = {}
    for key, gradient in joint.items():
        combined = weights[0] * gradient + weights[1] * unimodal[key]
        scale = (gradient + unimodal[key]).norm() / combined.norm()
        updates[key] = combined * GAMMA * max(1.0, scale.item())
    return updates
