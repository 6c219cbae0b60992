"""Writes vit.npz: a small Vision Transformer of timm, its input and its class token, float64.

Run by hand, with torch 2.14.1 and timm 1.0.31 (CPU suffices)::

    pip install torch==2.14.1 timm==1.0.31
    python tests/golden/make_vit.py
"""

from pathlib import Path

import numpy as np
import torch
from timm.models.vision_transformer import VisionTransformer


def main():
    rng = np.random.default_rng(0)
    model = VisionTransformer(
        img_size=16, patch_size=8, embed_dim=32, depth=2, num_heads=4, mlp_ratio=2, num_classes=3
    )
    state = {
        name: rng.normal(scale=0.3, size=tensor.shape).astype(np.float32)
        for name, tensor in model.state_dict().items()
    }
    model.load_state_dict({name: torch.from_numpy(each) for name, each in state.items()})
    model.double().eval()
    images = rng.normal(size=(2, 16, 16, 3)).astype(np.float32)
    with torch.no_grad():
        tokens = model.forward_features(torch.from_numpy(images).permute(0, 3, 1, 2).double())
    np.savez_compressed(
        Path(__file__).with_name("vit.npz"),
        images=images,
        class_token=tokens[:, 0].numpy(),
        **{f"state/{name}": each for name, each in state.items()},
    )


if __name__ == "__main__":
    main()
