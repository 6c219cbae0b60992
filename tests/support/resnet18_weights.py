"""Weights and inputs for ResNet-18 that need no file: each is drawn from its name."""

import zlib

import numpy as np


def weight(name, shape):
    """A float32 tensor of a state dict; the statistics and scales are far from their defaults."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    if name.endswith("num_batches_tracked"):
        return np.array(7)
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        return random.uniform(0.5, 1.5, shape).astype(np.float32)
    if len(shape) == 1:
        return (0.1 * random.standard_normal(shape)).astype(np.float32)
    fan_in = np.prod(shape[1:])
    return (random.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)


def images(channels):
    """[4, 70, 45, channels] float32; odd sizes, so that padding on the wrong side shows."""
    random = np.random.RandomState(channels)
    return random.standard_normal((4, 70, 45, channels)).astype(np.float32)
