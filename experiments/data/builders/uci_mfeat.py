"""The builder of UCI Multiple Features."""

from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from experiments.data.builders._arrays import PreparedFromArrays
from experiments.data.sets import uci_mfeat
from experiments.data.storage.fields import Fields


class UciMfeat(PreparedFromArrays):
    """Handwritten digits described by six sets of features."""

    FEATURES: ClassVar[dict[str, Any]] = {
        **{
            view: tfds.features.Tensor(shape=(width,), dtype=np.float32)
            for view, width in uci_mfeat.VIEWS.items()
        },
        "label": tfds.features.ClassLabel(num_classes=uci_mfeat.NUM_CLASSES),
    }

    def arrays(self) -> dict[str, Fields]:
        """Return what `uci_mfeat.arrays` makes from the six files."""
        return uci_mfeat.arrays(self.files_dir)
