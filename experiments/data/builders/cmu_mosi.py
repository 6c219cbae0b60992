"""The builder of CMU-MOSI."""

from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from experiments.data.builders._arrays import PreparedFromArrays
from experiments.data.sets import cmu_mosi
from experiments.data.storage.fields import Fields

# Length and width differ among the files in circulation. Most of the numbers are padding.
_SEQUENCE = tfds.features.Tensor(
    shape=(None, None), dtype=np.float32, encoding=tfds.features.Encoding.ZLIB
)


class CmuMosi(PreparedFromArrays):
    """The sentiment of spoken film reviews from words, voice and face."""

    FEATURES: ClassVar[dict[str, Any]] = {
        **dict.fromkeys(cmu_mosi.MODALITIES, _SEQUENCE),
        "label": tfds.features.ClassLabel(names=["negative", "non-negative"]),
    }

    def arrays(self) -> dict[str, Fields]:
        """Return what `cmu_mosi.arrays` makes from the pickle."""
        return cmu_mosi.arrays(self.files_dir)
