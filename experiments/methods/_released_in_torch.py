"""The integration of the released code in torch, rewritten from its behavior.

The two gradients of an encoder are flattened, and their cosine decides between the weights (1, 1)
and the min-norm weights. Each tensor of the combination is then multiplied by ``gamma`` and, if it
is shorter than the uniform gradient, by the ratio of the two lengths.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

GAMMA = 1.5


def integrate(
    joint: Mapping[str, "torch.Tensor"], unimodal: Mapping[str, "torch.Tensor"]
) -> dict[str, "torch.Tensor"]:
    """Return the combined gradient of one encoder by the released code's rule, with gamma 1.5.

    Args:
      joint: The gradient of the joint loss, by name of the parameter.
      unimodal: The gradient of the encoder's own loss, with the same names and shapes.

    Returns:
      A tensor for each parameter, which takes the place of its gradient in the optimizer.
    """
    import torch

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
