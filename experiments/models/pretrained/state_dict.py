"""Read a state dict, the tensors of a PyTorch module by name, from a file."""

from pathlib import Path

import numpy as np

from experiments.data.storage.lfs import refuse_pointer
from experiments.errors import UserError
from experiments.models.pretrained import torch_archive

_ZIP = b"PK\x03\x04"


def read(path: Path) -> dict[str, np.ndarray]:
    """Read the tensors of a file, by name.

    The format is detected from the content, not from the name: safetensors, or the zip archive that
    ``torch.save`` writes. PyTorch is not needed, and nothing in the file is executed.

    Args:
      path: The file.

    Returns:
      Arrays with the shapes and dtypes in the file; bfloat16 is that of ``ml_dtypes``.

    Raises:
      UserError: If the file cannot be read, is damaged, or contains anything but named tensors.
    """
    refuse_pointer(path)
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise UserError(
            f"cannot read weights from {path} ({error.strerror}): pass the path of a file"
        ) from error
    if start.startswith(_ZIP):
        return torch_archive.read(path)
    if start.endswith(b"{"):  # after the length of the header, of eight bytes
        return _read_safetensors(path)
    if start.startswith(b"\x80"):  # a pickle
        raise UserError(
            f"{path} is in the format of PyTorch before 1.6: load it there and save its state dict "
            "again with torch.save, or as safetensors"
        )
    raise UserError(
        f"{path} is damaged, or neither safetensors nor what torch.save writes: fetch it again"
    )


def _read_safetensors(path: Path) -> dict[str, np.ndarray]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise UserError(
            f"{path} is a damaged safetensors file ({error}): fetch it again"
        ) from error
