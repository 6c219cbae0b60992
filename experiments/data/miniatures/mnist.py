"""A miniature of MNIST: four compressed IDX files of random images."""

import gzip
import hashlib
import struct
from pathlib import Path

import numpy as np

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
COUNTS = {"train": 60, "test": 20}


def write(folder: Path, *, seed: int = 0) -> None:
    """Write the four files of the miniature, gzip-compressed.

    Args:
      folder: The folder of the files.
      seed: Seed of the images and labels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for split, arrays in splits(seed=seed).items():
        for name, array in zip(FILES[split], arrays, strict=True):
            (folder / name).write_bytes(gzip.compress(_idx(array)))


def splits(*, seed: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return the arrays that ``write`` writes with the same seed.

    Returns:
      For "train" and "test" the images, uint8 [N, 28, 28], and the labels, uint8 [N].
    """
    rng = np.random.default_rng(seed)
    return {
        split: (
            rng.integers(256, size=(count, 28, 28)).astype(np.uint8),
            rng.integers(10, size=count).astype(np.uint8),
        )
        for split, count in COUNTS.items()
    }


def checksums(folder: Path) -> dict[str, str]:
    """Return the SHA-256 (hexadecimal) of the decompressed contents of each file, by file name.

    Tests put them in place of those of the real files.
    """
    return {
        name: hashlib.sha256(gzip.decompress((folder / name).read_bytes())).hexdigest()
        for names in FILES.values()
        for name in names
    }


def _idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.tobytes()
