"""Pretrained weights: files of PyTorch state dicts, loaded into the models name by name."""
