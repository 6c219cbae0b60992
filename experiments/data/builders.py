"""The TFDS builders: what the prepared data sets contain and how they are written.

Images are written as PNG bytes that Pillow makes, because TFDS asks for TensorFlow to encode an
array. Importing this module imports `tensorflow_datasets`.
"""

import abc
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from PIL import Image

from experiments.data import cg_digits, cg_mnist
from experiments.data.colored_gray import MEAN_COLOURS, Fields


class ColoredGray(tfds.core.GeneratorBasedBuilder):
    """A colored-and-gray data set, written in the order in which `arrays` gives the samples.

    A subclass states `VERSION`, to be raised when its arrays change; `SIDE`, the height and width
    of its images; and `arrays`.

    Args:
        data_dir: the folder of prepared data sets; this one goes to `DATA_DIR/NAME/VERSION`.
        files_dir: the folder of the files that the set is made from, if it needs any.
        **builder_options: the other arguments of `tfds.core.GeneratorBasedBuilder`.
    """

    VERSION = tfds.core.Version("1.0.0")
    SIDE: int

    def __init__(self, *, files_dir: str | Path | None = None, **builder_options: Any):
        self._files_dir = files_dir
        super().__init__(file_format="array_record", **builder_options)

    @abc.abstractmethod
    def arrays(self) -> dict[str, Fields]:
        """Return the data set: `train` and `test`, as `colored_and_gray` makes them."""

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="Gray digits, each with a copy in a colour that tells the class.",
            features=tfds.features.FeaturesDict(
                {
                    "gray": tfds.features.Image(shape=(self.SIDE, self.SIDE, 1)),
                    "colour": tfds.features.Image(shape=(self.SIDE, self.SIDE, 3)),
                    "label": tfds.features.ClassLabel(num_classes=len(MEAN_COLOURS)),
                }
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: object) -> dict[str, Iterator[tuple[int, dict]]]:
        return {split: self._generate_examples(fields) for split, fields in self.arrays().items()}

    def _generate_examples(self, fields: Fields) -> Iterator[tuple[int, dict]]:
        samples = zip(fields["gray"], fields["colour"], fields["label"], strict=True)
        for index, (gray, colour, label) in enumerate(samples):
            yield (
                index,
                {"gray": _png(gray[..., 0]), "colour": _png(colour), "label": int(label)},
            )


class CgDigits(ColoredGray):
    """Colored-and-gray digits (`cg_digits.arrays`) as a TFDS data set."""

    SIDE = 8

    def arrays(self) -> dict[str, Fields]:
        """Return what `cg_digits.arrays` makes."""
        return cg_digits.arrays()


class CgMnist(ColoredGray):
    """Colored-and-gray MNIST (`cg_mnist.arrays`) as a TFDS data set."""

    SIDE = 28

    def arrays(self) -> dict[str, Fields]:
        """Return what `cg_mnist.arrays` makes from the files in `files_dir`."""
        return cg_mnist.arrays(self._files_dir)


def _png(pixels: np.ndarray) -> io.BytesIO:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    file.seek(0)
    return file
