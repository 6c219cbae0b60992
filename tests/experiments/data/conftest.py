"""A miniature MNIST whose checksums stand in for the real ones."""

import pytest

from experiments.data.miniatures import mnist as miniature_mnist
from experiments.data.sets import _mnist as mnist


@pytest.fixture
def miniature(tmp_path, monkeypatch):
    """The folder of four IDX files, 60 training and 20 test samples, and their arrays."""
    folder = tmp_path / "mirror"
    miniature_mnist.write(folder)
    monkeypatch.setattr(mnist, "SHA256", miniature_mnist.checksums(folder))
    return folder, miniature_mnist.splits()
