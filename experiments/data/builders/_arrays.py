"""Builders of the data sets that are arrays in memory before they are written."""

import abc
import functools
import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

from experiments.data.builders._prepared_from_files import Example, PreparedFromFiles
from experiments.data.storage.fields import Fields


class PreparedFromArrays(PreparedFromFiles):
    """A data set written in the order in which `arrays` gives the samples.

    Fields that are uint8 images [N, H, W, 1 or 3] are written as PNG files, others as they are.
    """

    @abc.abstractmethod
    def arrays(self) -> dict[str, Fields]:
        """Return the data set: for `train` and `test` an array per field."""

    @functools.cached_property
    def _arrays(self) -> dict[str, Fields]:
        return self.arrays()

    def examples(self, split: str) -> Iterator[tuple[int, Example]]:
        """Yield the samples of a split, numbered."""
        fields = self._arrays[split]
        for index in range(len(next(iter(fields.values())))):
            yield index, {name: _encoded(field[index]) for name, field in fields.items()}


def _encoded(value: np.ndarray) -> object:
    if value.dtype != np.uint8 or value.ndim != 3:
        return value
    return png(value)


def png(pixels: np.ndarray) -> io.BytesIO:
    """Return the PNG file of an image, uint8 [H, W, 1 or 3]."""
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
        file, "PNG", compress_level=1
    )
    file.seek(0)
    return file
