"""A miniature MNIST whose checksums stand in for the real ones."""

import gzip
import hashlib
import struct

import numpy as np
import pytest

from experiments.data import mnist


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()


@pytest.fixture
def miniature(tmp_path, monkeypatch):
    """The folder of four IDX files, 60 training and 20 test samples, and their arrays."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "mirror"
    folder.mkdir()
    splits, checksums = {}, {}
    for (split, names), count in zip(mnist.FILES.items(), (60, 20), strict=True):
        images = rng.integers(256, size=(count, 28, 28)).astype(np.uint8)
        labels = rng.integers(10, size=count).astype(np.uint8)
        splits[split] = (images, labels)
        for name, array in zip(names, (images, labels), strict=True):
            contents = idx(array)
            checksums[name] = hashlib.sha256(contents).hexdigest()
            (folder / name).write_bytes(gzip.compress(contents))
    monkeypatch.setattr(mnist, "SHA256", checksums)
    return folder, splits
