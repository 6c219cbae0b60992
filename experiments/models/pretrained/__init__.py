"""Pretrained weights: PyTorch state dicts in files, whose tensors are loaded by name."""
