"""MNIST, read from its four IDX files, which are downloaded if they are missing.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", 1998.
"""

import gzip
import hashlib
import http.client
import math
import os
import shutil
import struct
import urllib.request
import zlib
from pathlib import Path

import numpy as np

from experiments.data.storage.exclusive import exclusive
from experiments.data.storage.lfs import refuse_pointer
from experiments.errors import UserError

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}

# Of the decompressed contents, since copies in circulation are compressed in different ways.
SHA256 = {
    "train-images-idx3-ubyte.gz": (
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte.gz": (
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "t10k-images-idx3-ubyte.gz": (
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte.gz": (
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
}


def read_for(dataset: str, data_dir: str | Path | None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read MNIST for a data set that is made from it, and download its files if they are missing.

    Args:
      dataset: The name of the data set, for the error message.
      data_dir: The folder of the MNIST files; None if the user named no folder, which is an error.

    Returns:
      The splits "train" and "test", as for ``read``.

    Raises:
      UserError: If no folder is named; as for ``read``.
    """
    if data_dir is None:
        raise UserError(
            f"{dataset} is made from the MNIST files: name their folder with --data-dir "
            "(files that it lacks are downloaded)"
        )
    return read(data_dir)


def read(data_dir: str | Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Read MNIST, and download the files that the folder lacks.

    The contents of every file are verified by SHA-256. A download goes to a ``.part`` file, which
    is renamed only after it is verified, so an interrupted download leaves no partial file under
    the real name.

    Args:
      data_dir: The folder of the four ``.gz`` files; created if files must be downloaded.

    Returns:
      The splits "train" and "test": the images, uint8 [N, 28, 28], and the labels, uint8 [N], with
      N 60,000 and 10,000. The arrays are read-only.

    Raises:
      UserError: If a file is damaged (it is not removed) or cannot be downloaded.
    """
    folder = Path(data_dir)
    if not all((folder / name).exists() for name in SHA256):
        with exclusive(folder):
            for name in SHA256:
                if not (folder / name).exists():
                    _download(name, folder)
    return {
        split: (_read_file(folder / images), _read_file(folder / labels))
        for split, (images, labels) in FILES.items()
    }


def parse_idx(contents: bytes) -> np.ndarray:
    """Parse an IDX file of unsigned bytes.

    Args:
      contents: The whole file: two zero bytes, the element type (8 = unsigned byte), the number of
        dimensions, each dimension as a big-endian uint32, then the elements.

    Returns:
      The elements, uint8, in the shape that the file states; a read-only view of ``contents``.

    Raises:
      ValueError: If the contents are no IDX file, have another element type, or do not have the
        length that the header says.

    Examples:
      >>> parse_idx(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 3, 7, 8, 9]))
      array([[7, 8, 9]], dtype=uint8)
    """
    if len(contents) < 4 or contents[:2] != b"\0\0":
        raise ValueError("not an IDX file: it does not begin with two zero bytes")
    element_type, dimensions = contents[2:4]
    if element_type != 8:
        raise ValueError(f"IDX element type 0x{element_type:02x}, where unsigned byte is 0x08")
    header = 4 + 4 * dimensions
    if len(contents) < header:
        raise ValueError("the IDX header is cut short")
    shape = struct.unpack(f">{dimensions}I", contents[4:header])
    if len(contents) - header != math.prod(shape):
        raise ValueError(f"{len(contents) - header} elements, where the header says {shape}")
    return np.frombuffer(contents, np.uint8, offset=header).reshape(shape)


def _read_file(path: Path) -> np.ndarray:
    refuse_pointer(path)
    try:
        return parse_idx(_verified_contents(path, SHA256[path.name]))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be used ({_reason(error)}): move it away to download it again, "
            f"or replace it by {MIRRORS[0]}{path.name}"
        ) from error


def _verified_contents(path: Path, sha256: str) -> bytes:
    try:
        with gzip.open(path) as file:
            contents = file.read()
    except (EOFError, zlib.error) as error:
        raise ValueError("the gzip file is truncated or damaged") from error
    if hashlib.sha256(contents).hexdigest() != sha256:
        raise ValueError("its contents have the wrong SHA-256 checksum")
    return contents


def _download(name: str, folder: Path) -> None:
    part = folder / f"{name}.part"
    failures = []
    for mirror in MIRRORS:
        try:
            _fetch(mirror + name, part)
            _verified_contents(part, SHA256[name])
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(_reason(error))
        else:
            os.replace(part, folder / name)
            return
        finally:
            part.unlink(missing_ok=True)
    raise UserError(
        f"cannot download {name} ({'; '.join(failures)}): "
        f"get it from {MIRRORS[0]}{name} and put it into {folder}"
    )


def _fetch(url: str, path: Path) -> None:
    from tqdm import tqdm

    with urllib.request.urlopen(url, timeout=30) as response, open(path, "wb") as file:
        length = response.headers["Content-Length"]
        with tqdm.wrapattr(
            response, "read", total=length and int(length), desc=url.rpartition("/")[2]
        ) as body:
            shutil.copyfileobj(body, file)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
